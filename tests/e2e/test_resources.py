"""Resources through Envoy: read by whom they are granted to, byte for byte, and by nobody else."""

import pytest

from bad.row import META, MODERN, NO_SUCH_METHOD, rpc
from raw import Answer
from wire import Wire

PAGES = "handbook://company/pages/"


def ask(wire: Wire, server: str, method: str, uri: str, name: str | None = None) -> Answer:
    headers = [
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", method),
        ("Mcp-Name", uri if name is None else name),
    ]
    body = rpc(method, {"uri": uri, "_meta": META})
    return wire.send(f"/{server}/mcp", body, headers=headers)


def test_a_resource_is_read_by_whom_it_is_granted_to(wire: Wire) -> None:
    before = wire.stack.mark()
    answer = ask(wire, "knowledge", "resources/read", f"{PAGES}data-retention")
    assert answer.status == 200 and b"Raw clicks are kept 90 days" in answer.body
    (record,) = wire.stack.records(before)
    assert (record.server, record.rpc) == ("knowledge", "resources/read")


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        ("knowledge", "handbook://company/pages/../salaries"),
        ("knowledge", "handbook://company/pages/%2e%2e/salaries"),
        ("knowledge", "handbook://company/pages//salaries"),
        ("knowledge", "handbook://company/pages"),
        ("knowledge", "handbook://COMPANY/pages/data-retention"),
        ("knowledge", "handbook://company/salaries"),
        ("presto", f"{PAGES}data-retention"),
    ],
)
def test_any_other_uri_is_no_resource(wire: Wire, server: str, uri: str) -> None:
    before = wire.stack.mark()
    answer = ask(wire, server, "resources/read", uri)
    assert (answer.status, answer.json()["error"]["data"]["reason"]) == (200, "not_listed")
    assert wire.stack.records(before) == []


def test_the_mirrored_name_is_the_uri(wire: Wire) -> None:
    answer = ask(wire, "knowledge", "resources/read", f"{PAGES}data-retention", "other://a")
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32020)


def test_the_newer_revision_subscribes_to_no_single_resource(wire: Wire) -> None:
    answer = ask(wire, "knowledge", "resources/subscribe", f"{PAGES}data-retention")
    assert (answer.status, answer.json()["error"]["code"]) == (404, NO_SUCH_METHOD)
