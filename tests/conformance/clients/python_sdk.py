"""The Python SDK, 1.x or 2.x, whichever this environment has: asked line by line."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.client.streamable_http import streamable_http_client

try:
    import httpx2 as httpx
    from mcp import Client, MCPError as Refused
except ImportError:
    import httpx
    from mcp import ClientSession, McpError as Refused

    Client = None

MODERN = "2026-07-28"


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def told(error: BaseException) -> dict[str, Any]:
    """What the library says of a refusal."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    found: dict[str, Any] = {"kind": "error", "type": type(error).__name__, "text": str(error)}
    if isinstance(error, Refused):
        found |= {"code": error.error.code, "data": error.error.data}
    return found


@asynccontextmanager
async def connected(url: str, http: httpx.AsyncClient, era: str) -> AsyncIterator[tuple[Any, str]]:
    transport = streamable_http_client(url, http_client=http)
    if Client is not None:
        mode = MODERN if era == "modern" else "legacy"
        async with Client(transport, mode=mode, cache=None) as client:
            yield client, client.protocol_version
    else:
        async with transport as (read, write, _), ClientSession(read, write) as client:
            yield client, (await client.initialize()).protocolVersion


async def main(options: dict[str, Any]) -> None:
    sessions = []

    async def note(response: httpx.Response) -> None:
        if session := response.headers.get("mcp-session-id"):
            sessions.append(session)

    headers = {"Authorization": f"Bearer {options['token']}"}
    hooks = {"response": [note]}
    http = httpx.AsyncClient(headers=headers, event_hooks=hooks, trust_env=False, timeout=30)
    try:
        async with http, connected(options["url"], http, options["era"]) as (client, version):
            say(kind="connected", version=version, session=sessions[0] if sessions else None)
            while line := await asyncio.to_thread(sys.stdin.readline):
                asked = json.loads(line)
                try:
                    given = await client.call_tool(asked["name"], asked.get("arguments", {}))
                    result = given.model_dump(by_alias=True, mode="json")
                    kind = "tool_error" if result.get("isError") else "result"
                    say(kind=kind, text=result["content"][0].get("text", ""))
                except Refused as error:
                    say(**told(error))
    except Exception as error:
        say(**told(error))


asyncio.run(main(json.loads(sys.argv[1])))
