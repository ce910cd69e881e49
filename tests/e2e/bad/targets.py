"""Paths, authorities and methods that are nobody's."""

from typing import Any

from bad.row import METADATA, MODERN, Bad
from raw import Header


def _target(target: str | bytes, status: int, reason: str | None = None, **more: Any) -> Bad:
    return Bad(f"target {target!r:.60}", status, reason, target=target, **more)


TARGETS = [
    # A route is there, but this is not its path.
    _target("/presto/mcp?x=1", 400, "malformed"),
    _target("/presto/mcp?", 400, "malformed"),
    _target("/presto/mcp?access_token=abc", 400, "malformed"),
    _target("/presto@staging/mcp?env=prod", 400, "malformed", place="ide"),
    # No route is there.
    _target("/", 404),
    _target("/mcp", 404),
    _target("/presto", 404),
    _target("/presto/", 404),
    _target("/presto/mcp/", 404),
    _target("/presto/mcp/x", 404),
    _target("/presto/sse", 404),
    _target("/Presto/mcp", 404),
    _target("/presto/MCP", 404),
    _target("//presto/mcp", 404),
    _target("/presto//mcp", 404),
    _target("/presto/mcp//", 404),
    _target("/./presto/mcp", 404),
    _target("/presto/./mcp", 404),
    _target("/x/../presto/mcp", 404),
    _target("/presto/%2e/mcp", 404),
    _target("/x/%2e%2e/presto/mcp", 404),
    _target("/presto/%6dcp", 404),
    _target("/%70resto/mcp", 404),
    _target("/presto/mcp%20", 404),
    _target("/presto/mcp%00", 404),
    _target("/presto\\mcp", 404),
    _target("/presto/mcp;x=1", 404),
    _target("/presto;x=1/mcp", 404),
    _target("/unknown/mcp", 404),
    _target("/presto@prod/mcp", 404),
    _target("/presto@dev/mcp", 404),
    _target("/presto@/mcp", 404),
    _target("/@staging/mcp", 404),
    _target("/lab@dev/mcp", 404),
    _target("/livez", 404),
    _target("/readyz", 404),
    _target("/stats", 404),
    _target("/config_dump", 404),
    # Paths that readers disagree about.
    _target("/presto%2Fmcp", 400),
    _target("/presto%2fmcp", 400),
    _target("/presto%5Cmcp", 400),
    _target("/presto/mcp#x", 400),
    _target("presto/mcp", 400),
    _target("*", 400),
    _target(b"/presto/m\xc3\xa7p", 400),
    # Other authorities.
    _target("http://evil.example.com/presto/mcp", 404),
    _target("https://evil.example.com/presto/mcp", 404),
    Bad("a foreign host", 404, None, headers=(("Host", "evil.example.com"),)),
    Bad("a host like ours", 404, None, headers=(("Host", "mcp.example.com.evil.example"),)),
    Bad("a host with a user", 404, None, headers=(("Host", "alice@evil.example.com"),)),
    Bad("two hosts", 404, None, headers=(("Host", "localhost"), ("Host", "evil.example.com"))),
    Bad("an empty host", 404, None, headers=(("Host", ""),)),
    # Where clients learn how to sign in: to be read, and nothing else.
    _target(f"{METADATA}/presto/mcp", 405, "malformed"),
    _target(f"{METADATA}/presto/mcp", 405, "malformed", method="DELETE", body=None),
    _target(f"{METADATA}/presto/mcp", 405, "malformed", method="PUT", body=None),
    _target(f"{METADATA}/presto/mcp?x=1", 400, "malformed", method="GET", body=None),
    _target(f"{METADATA}/presto/mcp/", 404, method="GET", body=None),
    _target(f"{METADATA}/unknown/mcp", 404, method="GET", body=None),
    _target(f"{METADATA}/PRESTO/mcp", 404, method="GET", body=None),
    _target(f"{METADATA}/", 404, method="GET", body=None),
    _target(METADATA, 404, method="GET", body=None),
    _target("/.well-known/openid-configuration", 404, method="GET", body=None),
    _target("/.well-known/oauth-authorization-server", 404, method="GET", body=None),
    _target("/.well-known/../presto/mcp", 404),
    _target(f"{METADATA}/../../presto/mcp", 404),
]

_WEBSOCKET: tuple[Header, ...] = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
_STREAM: tuple[Header, ...] = (("Accept", "text/event-stream"),)


def _method(method: str, status: int, reason: str | None = "malformed", **more: Any) -> Bad:
    return Bad(f"method {method}", status, reason, method=method, **more)


METHODS = [
    _method("PUT", 405),
    _method("PATCH", 405),
    _method("OPTIONS", 405, body=None),
    _method("HEAD", 405, None, body=None),
    _method("TRACE", 405, body=None),
    _method("PROPFIND", 405, body=None),
    _method("CONNECT", 404, None, body=None, target="localhost:443"),
    _method("CONNECT", 400, None, body=None, target="/presto/mcp"),
    _method("post", 400, None),
    Bad("GET with a body", 400, method="GET"),
    Bad("DELETE with a body", 400, method="DELETE"),
    Bad(
        "the preflight of a foreign page",
        405,
        method="OPTIONS",
        body=None,
        headers=(("Origin", "https://evil.example.com"), ("Access-Control-Request-Method", "POST")),
    ),
    Bad(
        "GET of a modern client",
        405,
        method="GET",
        body=None,
        headers=(*_STREAM, ("MCP-Protocol-Version", MODERN)),
    ),
    Bad(
        "DELETE of a modern client",
        405,
        method="DELETE",
        body=None,
        headers=(("MCP-Protocol-Version", MODERN), ("Mcp-Session-Id", "s")),
    ),
    Bad("a websocket", 403, None, method="GET", body=None, headers=_WEBSOCKET),
    Bad(
        "an upgrade to TLS", 403, None, headers=(("Connection", "Upgrade"), ("Upgrade", "TLS/1.2"))
    ),
    Bad(
        "a stream on a server without a grant",
        403,
        "no_grant",
        target="/spark/mcp",
        method="GET",
        body=None,
        headers=_STREAM,
    ),
    Bad(
        "the end of a session on a server without a grant",
        403,
        "no_grant",
        target="/spark/mcp",
        method="DELETE",
        body=None,
        headers=(("Mcp-Session-Id", "s"),),
    ),
    Bad(
        "a stream without a token",
        401,
        "unauthenticated",
        None,
        method="GET",
        body=None,
        person=None,
    ),
]
