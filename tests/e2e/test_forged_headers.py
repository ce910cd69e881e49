"""What a server is told about its caller comes from Toolgate, whatever the client says: a request
with forged headers arrives exactly as the same request without them."""

import functools
from dataclasses import dataclass
from typing import Any

import pytest

from bad.row import META, rpc
from forgeries import FORGERIES, OLDER_FORGERIES, UNDERSCORED, Forgery
from raw import Answer, Header
from stack import Record
from story import LAPTOP
from wire import Wire


@dataclass(frozen=True)
class Honest:
    """A call that is allowed."""

    server: str
    tool: str
    person: str | None
    place: str
    headers: tuple[Header, ...] = ()
    forged: Forgery = ()

    def forging(self, forgery: Forgery) -> "Honest":
        return Honest(self.server, self.tool, self.person, self.place, self.headers, forgery)


CALLS = [
    Honest("presto", "list_tables", "alice", "ai-chat"),
    Honest("presto", "list_tables", None, "nightly"),  # no user
    Honest(
        "spark", "list_applications", "alice", "chat-bot", (("X-Toolgate-Channel", "C07SPARK1"),)
    ),
    Honest("airflow", "list_dags", "kim", "ide"),
    Honest("knowledge", "search", "nora", "ide"),  # no groups, no address
    Honest("lab", "roll_dice", "erin", LAPTOP),  # no workload
]

# New with every request.
FRESH = {"x-request-id", "x-toolgate-decision-id"}


def _shown(forgery: Forgery) -> str:
    return " ".join(f"{name}={value!r}" for name, value in forgery)[:70]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.server} {call.place}")
@pytest.mark.parametrize("forgery", FORGERIES, ids=_shown)
def test_forged_headers_change_nothing(wire: Wire, forgery: Forgery, call: Honest) -> None:
    for modern in [True, False]:
        forged = received(wire, call.forging(forgery), modern)
        assert told(forged) == honestly(wire, call, modern)
        assert len(forged.header("x-toolgate-decision-id")) == 1
        assert "mallory" not in str(forged.headers)


@pytest.mark.parametrize("forgery", OLDER_FORGERIES, ids=_shown)
def test_mirrors_that_nothing_has_checked_change_nothing(wire: Wire, forgery: Forgery) -> None:
    for call in CALLS:
        forged = received(wire, call.forging(forgery), modern=False)
        assert told(forged) == honestly(wire, call, modern=False)


@pytest.mark.parametrize("forgery", UNDERSCORED, ids=_shown)
def test_headers_with_underscores_are_refused(wire: Wire, forgery: Forgery) -> None:
    before = wire.stack.mark()
    for call in CALLS:
        answer = send(wire, call.forging(forgery), modern=True)
        assert (answer.status, answer.body) == (400, b"Bad Request")
    assert wire.stack.records(before) == []


def test_trailers_are_no_headers(wire: Wire) -> None:
    before = wire.stack.mark()
    body = rpc("tools/call", {"name": "list_tables"})
    chunked = b"%x\r\n%s\r\n0\r\nX-Forwarded-User: mallory\r\n\r\n" % (len(body), body)
    headers = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Forwarded-User")]
    wire.send("/presto/mcp", chunked, headers=headers)
    (record,) = wire.stack.records(before)
    assert record.header("x-forwarded-user") == ["alice"]


def received(wire: Wire, call: Honest, modern: bool) -> Record:
    before = wire.stack.mark()
    answer = send(wire, call, modern)
    # An older server wants a session first; what it received is what counts.
    assert not modern or answer.status == 200, answer
    (record,) = wire.stack.records(before)
    return record


@functools.cache
def honestly(wire: Wire, call: Honest, modern: bool) -> list[tuple[str, str]]:
    return told(received(wire, call, modern))


def told(record: Record) -> list[tuple[str, str]]:
    return sorted(pair for pair in record.headers if pair[0] not in FRESH)


def send(wire: Wire, call: Honest, modern: bool) -> Answer:
    params: dict[str, Any] = {"name": call.tool, "arguments": {"query": "x"}}
    headers = [*call.headers, *call.forged]
    if modern:
        params["_meta"] = META
        headers += [
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", call.tool),
        ]
    return wire.send(
        f"/{call.server}/mcp",
        rpc("tools/call", params),
        headers=headers,
        person=call.person,
        place=call.place,
    )
