"""MCP calls as the Python SDK really makes them, with mcp 1.x or 2.x, whichever is installed.

    async with session(url, token=..., cert=(pem, key), ca=ca) as mcp:
        outcome = await mcp.call("run_query", {"sql": "SELECT 1"})

One call at a time on a session. What a refusal looked like is read off the wire, since the two
lines of the SDK tell different parts of it.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp.client.streamable_http import streamable_http_client

try:
    import httpx2 as httpx
    from mcp import Client

    SDK = 2
except ImportError:
    import httpx
    from mcp import ClientSession

    SDK = 1

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

Era = Literal["auto", "legacy", "modern"]  # 1.x has only legacy

MODERN = "2026-07-28"
PATIENCE = 30  # seconds


@dataclass
class Outcome:
    kind: Literal["result", "tool_error", "rpc_error", "http"]
    text: str = ""
    code: int | None = None  # of a JSON-RPC error, whatever the HTTP status
    data: Any = None  # of a JSON-RPC error, or the structured content of a result
    http_status: int | None = None  # None: no HTTP answer at all, such as a refused handshake
    headers: dict[str, str] = field(default_factory=dict)  # of the HTTP answer, in lower case


class Refused(Exception):
    """A session could not be opened, or tools not be listed."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass
class Exchange:
    method: str  # JSON-RPC where there is a body, HTTP where there is none
    status: int
    headers: dict[str, str]
    body: str  # of refusals; a stream is the SDK's to read


class Session:
    def __init__(self, mcp: Any, owner: "asyncio.Task[None]", exchanges: list[Exchange]) -> None:
        self._mcp, self._owner, self.exchanges = mcp, owner, exchanges
        self.protocol_version = mcp.protocol_version

    @property
    def alive(self) -> bool:
        """False once the SDK has torn the session down, as 1.x does on any HTTP error but 404."""
        return not self._owner.done()

    async def call(self, tool: str, args: Mapping[str, Any] | None = None) -> Outcome:
        answer, seen = await self._run(
            "tools/call", lambda: self._mcp.call_tool(tool, dict(args or {}))
        )
        if isinstance(answer, Outcome):
            return answer
        result = answer.model_dump(by_alias=True, mode="json")
        text = "\n".join(part.get("text", "") for part in result["content"])
        kind = "tool_error" if result.get("isError") else "result"
        own = seen[-1]
        return Outcome(kind, text, None, result.get("structuredContent"), own.status, own.headers)

    async def list_tools(self) -> list[str]:
        """The names of the tools; Refused when the list is."""
        answer, _ = await self._run("tools/list", lambda: self._mcp.list_tools())
        if isinstance(answer, Outcome):
            raise Refused(answer)
        return [tool.name for tool in answer.tools]

    async def _run(
        self, method: str, start: Callable[[], Awaitable[Any]]
    ) -> tuple[Any, list[Exchange]]:
        """What `start()` returns, or the Outcome of its refusal; and the exchanges for `method`."""
        if not self.alive:
            return Outcome("http", "the session is gone"), []
        before = len(self.exchanges)
        call = asyncio.ensure_future(start())
        # 1.x cancels or forgets the call when its transport fails, so watch the transport too.
        await asyncio.wait({call, self._owner}, timeout=PATIENCE, return_when="FIRST_COMPLETED")
        if not call.done():
            call.cancel()
        (answer,) = await asyncio.gather(call, return_exceptions=True)
        since = self.exchanges[before:]
        seen = [e for e in since if e.method == method]
        if isinstance(answer, BaseException):
            # Both lines list the tools behind a first call, and raise when the list is refused.
            failed = [e for e in since if e.status >= 400 and e.method not in ("GET", "DELETE")]
            answer = _outcome(answer, failed or seen)
        return answer, seen


@asynccontextmanager
async def session(
    url: str,
    *,
    token: str | None = None,
    cert: tuple[str, str] | None = None,
    ca: str | None = None,
    headers: Mapping[str, str] | None = None,
    era: Era = "auto",
) -> AsyncIterator[Session]:
    """An open session; Refused when there is none. `cert` is (certificate file, key file)."""
    exchanges: list[Exchange] = []
    ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def own() -> None:
        http = _http(exchanges, token, cert, ca, headers)
        async with http, _connect(url, http, era) as mcp:
            ready.set_result(mcp)
            await done.wait()

    # A task of its own, so that a session that the SDK tears down does not cancel the caller.
    owner = asyncio.create_task(own())
    try:
        await asyncio.wait({owner, ready}, timeout=PATIENCE, return_when="FIRST_COMPLETED")
        if not ready.done():
            owner.cancel()
            (error,) = await asyncio.gather(owner, return_exceptions=True)
            raise Refused(_outcome(error, exchanges))
        yield Session(ready.result(), owner, exchanges)
    finally:
        done.set()
        await asyncio.gather(owner, return_exceptions=True)


@asynccontextmanager
async def _connect(url: str, http: httpx.AsyncClient, era: Era) -> AsyncIterator[Any]:
    transport = streamable_http_client(url, http_client=http)
    if SDK == 2:
        async with Client(transport, mode=MODERN if era == "modern" else era, cache=None) as client:
            yield client
    elif era == "modern":
        raise ValueError("mcp 1.x speaks only the legacy era")
    else:
        async with transport as (read, write, _), ClientSession(read, write) as client:
            client.protocol_version = (await client.initialize()).protocolVersion
            yield client


def _http(
    exchanges: list[Exchange],
    token: str | None,
    cert: tuple[str, str] | None,
    ca: str | None,
    headers: Mapping[str, str] | None,
) -> httpx.AsyncClient:
    async def note(response: httpx.Response) -> None:
        method = response.request.method
        if response.request.content:
            method = json.loads(response.request.content).get("method", "response")
        body = (await response.aread()).decode(errors="replace") if response.is_error else ""
        exchanges.append(Exchange(method, response.status_code, dict(response.headers), body))

    tls = ssl.create_default_context(cafile=ca)
    if cert:
        tls.load_cert_chain(*cert)
    return httpx.AsyncClient(
        verify=tls,
        trust_env=False,  # no proxy of the machine's between the test and the loopback
        timeout=PATIENCE,
        headers={**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})},
        event_hooks={"response": [note]},
    )


def _outcome(error: BaseException, exchanges: list[Exchange]) -> Outcome:
    """The refusal behind `error`, by what `exchanges` saw last, or else by the error itself."""
    last = exchanges[-1] if exchanges else Exchange("", 0, {}, "")
    if last.status >= 400:
        try:
            rpc = json.loads(last.body)["error"]
            found = ("rpc_error", rpc["message"], rpc["code"], rpc.get("data"))
        except (ValueError, KeyError, TypeError):
            found = ("http", last.body, None, None)
        return Outcome(*found, last.status, last.headers)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        return Outcome("http", "no answer")
    if rpc := getattr(error, "error", None):  # McpError in 1.x, MCPError in 2.x
        status = last.status or None
        return Outcome("rpc_error", rpc.message, rpc.code, rpc.data, status, last.headers)
    return Outcome("http", f"{type(error).__name__}: {error}")
