"""The event streams of the older era: nobody reads on where somebody else stopped. That what is
read again is filtered stands in test_lists.py."""

import pytest

from raw import Header
from wire import Wire

STREAM: list[Header] = [
    ("Accept", "text/event-stream"),
    ("Mcp-Session-Id", "2c30e39c-6c9d-4d33-aa84-4fdf567a3684"),
]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("event", ["0", "3", ""])
def test_only_a_stream_is_resumed(wire: Wire, method: str, event: str) -> None:
    before = wire.stack.mark()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}' if method == "POST" else None
    headers = [*STREAM, ("Last-Event-ID", event)]
    answer = wire.send("/presto/mcp", body, method=method, headers=headers)
    assert (answer.status, answer.json()["error"]) == (400, "malformed")
    assert wire.stack.records(before) == []


@pytest.mark.parametrize("headers", [[STREAM[0]], [*STREAM, ("Last-Event-ID", "1")]], ids=str)
def test_nobodys_stream_is_not_resumed(wire: Wire, headers: list[Header]) -> None:
    before = wire.stack.mark()
    headers = [*headers, ("Last-Event-ID", "0")]
    answer = wire.send("/presto/mcp", None, method="GET", headers=headers)
    assert (answer.status, answer.json()["error"]) == (400, "malformed")
    assert wire.stack.records(before) == []


def test_of_two_sessions_neither_counts(wire: Wire) -> None:
    before = wire.stack.mark()
    headers = [*STREAM, ("mcp-session-id", "another")]
    answer = wire.send("/presto/mcp", None, method="GET", headers=headers)
    assert (answer.status, answer.json()["error"]) == (400, "malformed")
    assert wire.stack.records(before) == []


def test_a_stream_of_ones_own_is_opened(wire: Wire) -> None:
    before = wire.stack.mark()
    # Whose session this is, nobody has said.
    assert wire.send("/presto/mcp", None, method="GET", headers=STREAM).status == 404
    assert wire.stack.records(before) == []
    wire.send("/presto/mcp", None, method="GET", headers=STREAM[:1])
    assert [record.method for record in wire.stack.records(before)] == ["GET"]
