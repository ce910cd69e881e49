"""Messages whose names nobody offers, or that name nothing."""

from typing import Any

from bad.row import NO_SUCH_METHOD, NOT_A_MESSAGE, REFUSED, Bad, rpc, tool


def _call(name: str, body: bytes, code: int = NOT_A_MESSAGE) -> Bad:
    return Bad(name, 400, "malformed", code, 1, body=body)


CALLS = [
    _call("a call without params", rpc("tools/call")),
    _call("a call without a name", rpc("tools/call", {})),
    _call("a name that is a number", tool(1)),
    _call("a name that is null", tool(None)),
    _call("a name that is a list", tool(["list_tables"])),
    _call("arguments that are a list", tool("list_tables", arguments=[])),
    _call("arguments that are null", tool("list_tables", arguments=None)),
    _call("arguments that are a string", tool("list_tables", arguments="{}")),
]


def _unlisted(name: str) -> Bad:
    return Bad(f"tool {name!r:.40}", 200, "not_listed", REFUSED, 1, body=tool(name))


def _unknown(method: str, **params: Any) -> Bad:
    body = rpc(method, params)
    return Bad(f"method {method!r}", 200, "method_unknown", NO_SUCH_METHOD, 1, body=body)


def _not_listed(method: str, **params: Any) -> Bad:
    body = rpc(method, params)
    return Bad(f"{method}: {params}", 200, "not_listed", REFUSED, 1, body=body)


NAMES = [
    _unlisted("drop_table"),
    _unlisted(""),
    _unlisted("List_Tables"),
    _unlisted("list_tables "),
    _unlisted(" list_tables"),
    _unlisted("list_tables\0"),
    _unlisted("list_tables\n"),
    _unlisted("lіst_tables"),  # with the Cyrillic letter
    _unlisted("list-tables"),
    _unlisted("presto/list_tables"),
    _unlisted("../list_tables"),
    _unlisted("*"),
    _unlisted("x" * 2000),
    _unknown("Tools/Call", name="list_tables"),
    _unknown("tools/call ", name="list_tables"),
    _unknown("tools/call\0", name="list_tables"),
    _unknown("tools//call", name="list_tables"),
    _unknown("", name="list_tables"),
    _unknown("rpc.discover"),
    _not_listed("resources/read", uri="file:///etc/passwd"),
    _not_listed("resources/read", uri="http://169.254.169.254/latest/meta-data"),
    _not_listed("resources/subscribe", uri="file:///etc/passwd"),
    _not_listed("resources/unsubscribe", uri="file:///etc/passwd"),
    _not_listed("prompts/get", name="x"),
    _not_listed("completion/complete", ref={"type": "ref/prompt", "name": "x"}),
    _not_listed("completion/complete", ref={"type": "ref/resource", "uri": "file:///{path}"}),
    _unknown("tasks/list"),
    _unknown("tasks/get", taskId="x"),
    _unknown("tasks/result", taskId="x"),
    _unknown("tasks/update", taskId="x"),
    _unknown("tools/call", name="list_tables", task={"ttl": 1000}),
    _unknown("server/discover"),
    _unknown("vendor/ask"),
    _unknown("vendor/ask", name="list_tables"),
    _unknown("sampling/createMessage"),
    _unknown("roots/list"),
    _unknown("elicitation/create"),
    _unknown("subscriptions/listen"),
    Bad(
        "an unknown notification",
        403,
        "method_unknown",
        body=b'{"jsonrpc":"2.0","method":"notifications/other"}',
    ),
    Bad(
        "a notification of the server's",
        403,
        "method_unknown",
        body=b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
    ),
    Bad("a response", 403, "method_unknown", body=b'{"jsonrpc":"2.0","id":1,"result":{}}'),
    Bad(
        "an error response",
        403,
        "method_unknown",
        body=b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
    ),
]
