"""What the rows of bad requests are made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raw import Header

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
METADATA = "/.well-known/oauth-protected-resource"

# JSON-RPC 2.0, MCP 2026-07-28, and Toolgate's own.
NOT_JSON, NOT_A_MESSAGE, NO_SUCH_METHOD = -32700, -32600, -32601
INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_VERSION, REFUSED = -32602, -32020, -32022, 403


def rpc(method: Any, params: Any = None, **members: Any) -> bytes:
    """A JSON-RPC request with id 1."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method}
    if params is not None:
        message["params"] = params
    return json.dumps(message | members).encode()


def tool(name: Any, **params: Any) -> bytes:
    return rpc("tools/call", {"name": name, **params})


CALL = tool("list_tables")
MODERN_CALL = tool("list_tables", _meta=META)


@dataclass(frozen=True)
class Bad:
    name: str
    status: int
    reason: str | None = "malformed"  # None: Envoy refuses, and says nothing
    code: int | None = None  # of a JSON-RPC error
    id: Any = None  # of a JSON-RPC error
    target: str | bytes = "/presto/mcp"
    method: str = "POST"
    headers: tuple[Header, ...] = ()
    without: tuple[str, ...] = ()  # headers that are usually there
    body: bytes | None = CALL
    person: str | None = "alice"
    place: str = "ai-chat"
    wire: Callable[[bytes], bytes] = lambda sent: sent  # a last change to what is sent
