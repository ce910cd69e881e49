"""Requests of revision 2026-07-28 whose headers and bodies do not say the same."""

from bad.row import (
    CALL,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    META,
    MODERN,
    MODERN_CALL,
    NO_SUCH_METHOD,
    NOT_A_MESSAGE,
    REFUSED,
    UNSUPPORTED_VERSION,
    Bad,
    rpc,
    tool,
)
from raw import Header


def _modern(
    name: str,
    *headers: Header,
    body: bytes = MODERN_CALL,
    code: int = HEADER_MISMATCH,
    status: int = 400,
    reason: str = "malformed",
) -> Bad:
    return Bad(name, status, reason, code, 1, headers=headers, body=body)


_V: Header = ("MCP-Protocol-Version", MODERN)
_M: Header = ("Mcp-Method", "tools/call")
_N: Header = ("Mcp-Name", "list_tables")
_LIST = rpc("tools/list", {"_meta": META})
_UNKNOWN_META = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}

MODERN_ERA = [
    _modern("no version header", _M, _N),
    _modern("an older version header", ("MCP-Protocol-Version", "2025-06-18"), _M, _N),
    _modern(
        "a modern version header on an older body", _V, _M, _N, body=CALL, code=INVALID_PARAMS
    ),
    _modern(
        "a version of the future in the body alone",
        _V,
        _M,
        _N,
        body=tool("list_tables", _meta=_UNKNOWN_META),
    ),
    _modern(
        "a version of the future in the header alone", ("MCP-Protocol-Version", "2099-01-01"), _M, _N
    ),
    _modern("two version headers", _V, _V, _M, _N),
    _modern("two different version headers", _V, ("MCP-Protocol-Version", "2025-06-18"), _M, _N),
    _modern("no Mcp-Method", _V, _N),
    _modern("another Mcp-Method", _V, ("Mcp-Method", "tools/list"), _N),
    _modern("Mcp-Method in capitals", _V, ("Mcp-Method", "Tools/Call"), _N),
    _modern("an empty Mcp-Method", _V, ("Mcp-Method", ""), _N),
    _modern("two Mcp-Method", _V, _M, _M, _N),
    _modern("no Mcp-Name", _V, _M),
    _modern("another Mcp-Name", _V, _M, ("Mcp-Name", "run_query")),
    _modern("an innocent Mcp-Name", _V, _M, _N, body=tool("get_revenue_metrics", _meta=META)),
    _modern("Mcp-Name in capitals", _V, _M, ("Mcp-Name", "List_Tables")),
    _modern("an empty Mcp-Name", _V, _M, ("Mcp-Name", "")),
    _modern("two Mcp-Name", _V, _M, _N, _N),
    _modern("two Mcp-Name in one header", _V, _M, ("Mcp-Name", "list_tables, list_tables")),
    _modern("another Mcp-Name in base64", _V, _M, ("Mcp-Name", "=?base64?ZXZpbA==?=")),
    _modern("Mcp-Name in broken base64", _V, _M, ("Mcp-Name", "=?base64?***?=")),
    _modern("Mcp-Name in BASE64", _V, _M, ("Mcp-Name", "=?BASE64?bGlzdF90YWJsZXM=?=")),
    _modern("Mcp-Name on a list", _V, ("Mcp-Method", "tools/list"), _N, body=_LIST),
    _modern(
        "a version of the future",
        ("MCP-Protocol-Version", "2099-01-01"),
        _M,
        _N,
        body=tool("list_tables", _meta=_UNKNOWN_META),
        code=UNSUPPORTED_VERSION,
    ),
    _modern(
        "a version of the future in the header",
        ("MCP-Protocol-Version", "2099-01-01"),
        body=CALL,
        code=UNSUPPORTED_VERSION,
    ),
    _modern(
        "a version of the future in the body",
        body=tool("list_tables", _meta=_UNKNOWN_META),
        code=UNSUPPORTED_VERSION,
    ),
    _modern("a junk version", ("MCP-Protocol-Version", "x"), body=CALL, code=UNSUPPORTED_VERSION),
    _modern(
        "a version that is a number",
        _V,
        _M,
        _N,
        body=tool("list_tables", _meta={**META, "io.modelcontextprotocol/protocolVersion": 2026}),
        code=NOT_A_MESSAGE,
    ),
    _modern(
        "an unknown method",
        _V,
        ("Mcp-Method", "resources/subscribe"),
        ("Mcp-Name", "file:///etc/passwd"),
        body=rpc("resources/subscribe", {"uri": "file:///etc/passwd", "_meta": META}),
        code=NO_SUCH_METHOD,
        status=404,
        reason="method_unknown",
    ),
    *[
        _modern(
            f"{method}, which is not there",
            _V,
            ("Mcp-Method", method),
            body=rpc(method, {"_meta": META}),
            code=NO_SUCH_METHOD,
            status=404,
            reason="method_unknown",
        )
        for method in ["ping", "logging/setLevel", "resources/subscribe", "tasks/list", "vendor/ask"]
    ],
    _modern(
        "a task of nobody's",
        _V,
        ("Mcp-Method", "tasks/get"),
        ("Mcp-Name", "t"),
        body=rpc("tasks/get", {"taskId": "t", "_meta": META}),
        code=NO_SUCH_METHOD,
        status=404,
        reason="method_unknown",
    ),
    _modern(
        "another task's name",
        _V,
        ("Mcp-Method", "tasks/get"),
        ("Mcp-Name", "u"),
        body=rpc("tasks/get", {"taskId": "t", "_meta": META}),
    ),
    _modern(
        "a task without its name",
        _V,
        ("Mcp-Method", "tasks/cancel"),
        body=rpc("tasks/cancel", {"taskId": "t", "_meta": META}),
    ),
    _modern(
        "an extension's other name",
        _V,
        ("Mcp-Method", "vendor/ask"),
        ("Mcp-Name", "u"),
        body=rpc("vendor/ask", {"name": "t", "_meta": META}),
    ),
    _modern(
        "a subscription to what nobody lists",
        _V,
        ("Mcp-Method", "subscriptions/listen"),
        body=rpc(
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["file:///etc/passwd"]}, "_meta": META},
        ),
        code=REFUSED,
        status=200,
        reason="not_listed",
    ),
    _modern("Mcp-Name that is not ASCII", _V, _M, ("Mcp-Name", "list_tables\xe9")),
    _modern(
        "initialize, which is no more",
        _V,
        ("Mcp-Method", "initialize"),
        body=rpc("initialize", {"_meta": META}),
        code=NO_SUCH_METHOD,
        status=404,
        reason="method_unknown",
    ),
    _modern(
        "an unlisted tool",
        _V,
        _M,
        ("Mcp-Name", "drop_table"),
        body=tool("drop_table", _meta=META),
        code=REFUSED,
        status=200,
        reason="not_listed",
    ),
    _modern(
        "a tool without a grant",
        _V,
        _M,
        ("Mcp-Name", "get_revenue_metrics"),
        body=tool("get_revenue_metrics", _meta=META),
        code=REFUSED,
        status=200,
        reason="no_grant",
    ),
]
