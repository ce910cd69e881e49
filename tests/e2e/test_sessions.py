"""A session of the older era belongs to the one who opened it: who it was, from which workload, on
which server. Nobody else reads it, writes to it, ends it or takes it up again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import upstream
from bad.row import CALL, rpc
from raw import Answer, Header
from stack import Stack
from test_answers import INITIALIZE, another_envoy, older_routes
from upstream import Upstream
from wire import Wire
from workspace import REPOSITORY

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'
RESPONSE = b'{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}'
OF_SERVER = "s-4711.visible~ASCII"
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

# How a session is read, written to and ended.
USES: list[tuple[str, bytes | None]] = [
    ("GET", None),
    ("POST", CALL),
    ("POST", rpc("tools/list")),
    ("POST", INITIALIZED),
    ("POST", RESPONSE),
    ("DELETE", None),
]


@pytest.fixture(scope="module")
def presto() -> Iterator[Upstream]:
    with upstream.running() as server:
        server.says(upstream.whole(RESULT, Mcp_Session_Id=OF_SERVER))
        yield server


@pytest.fixture(scope="module")
def wire(presto: Upstream) -> Iterator[Wire]:
    in_place = upstream.in_place_of_presto(presto)

    def edit(work: Path) -> None:
        in_place(work)
        config = work / "envoy/toolgate.yaml"
        config.with_name("session.key").write_bytes(bytes(range(32)))
        config.write_text(config.read_text() + "sessions: { key: session.key }\n")

    with Stack(REPOSITORY / "target/e2e/sessions", edit=edit) as stack:
        yield Wire(stack)


def opened(wire: Wire, person: str | None = "alice", place: str = "ai-chat") -> str:
    answer = wire.send("/presto/mcp", INITIALIZE, person=person, place=place)
    name = answer.header("mcp-session-id")
    assert answer.status == 200 and name is not None
    return name


def use(
    wire: Wire,
    method: str,
    body: bytes | None,
    session: str | None,
    *,
    person: str | None = "alice",
    place: str = "ai-chat",
    target: str = "/presto/mcp",
) -> Answer:
    headers: list[Header] = [("Accept", "text/event-stream")] if method == "GET" else []
    if session is not None:
        headers.append(("Mcp-Session-Id", session))
    return wire.send(target, body, method=method, headers=headers, person=person, place=place)


def test_the_client_is_given_a_name_of_its_own(presto: Upstream, wire: Wire) -> None:
    name = opened(wire)
    assert name != OF_SERVER and name.endswith(OF_SERVER)
    assert opened(wire) == name, "nothing is kept, and nothing is left to chance"
    for other in [("bob", "ai-chat"), ("alice", "ide")]:
        assert opened(wire, *other) != name


@pytest.mark.parametrize(("method", "body"), USES)
def test_its_owner_uses_it(
    presto: Upstream, wire: Wire, method: str, body: bytes | None
) -> None:
    name = opened(wire)
    presto.received.clear()
    answer = use(wire, method, body, name)
    (seen,) = presto.received
    assert (answer.status, seen["mcp-session-id"]) == (200, OF_SERVER)
    # Only the answer to `initialize` names a session.
    assert answer.header("mcp-session-id") is None


@pytest.mark.parametrize(("method", "body"), USES)
def test_nobody_else_does(presto: Upstream, wire: Wire, method: str, body: bytes | None) -> None:
    name = opened(wire)
    proof, _ = name.split("." + OF_SERVER)
    presto.received.clear()
    for session, who in [
        (name, {"person": "bob"}),
        (name, {"place": "ide"}),
        (OF_SERVER, {}),
        (f"{proof}.another", {}),
        (name.swapcase(), {}),
        (opened(wire, "bob"), {}),
        ("", {}),
    ]:
        presto.received.clear()
        answer = use(wire, method, body, session, **who)
        assert (answer.status, presto.received) == (404, []), (session, who)
        assert answer.json()["error"]["code"] == -32001
        decision = wire.stack.decision(answer.header("x-toolgate-decision-id") or "")
        assert (decision["reason"], "session" in decision["detail"]) == ("malformed", True)
        assert OF_SERVER not in decision["detail"]


def test_nor_on_another_server(wire: Wire) -> None:
    name = opened(wire)
    assert use(wire, "POST", rpc("tools/list"), None, target="/knowledge/mcp").status != 404
    assert use(wire, "POST", rpc("tools/list"), name, target="/knowledge/mcp").status == 404


def test_whoever_may_not_look_around_is_told_that(wire: Wire) -> None:
    answer = use(wire, "POST", CALL, opened(wire), person=None)
    assert answer.status == 401


def test_the_id_of_the_request_is_echoed(wire: Wire) -> None:
    answer = use(wire, "POST", b'{"jsonrpc":"2.0","id":"a\\u0062","method":"ping"}', "x")
    assert (answer.status, b'"id":"a\\u0062",' in answer.body) == (404, True)


def test_without_a_session_nothing_is_asked_of_one(presto: Upstream, wire: Wire) -> None:
    presto.received.clear()
    for method, body in USES:
        answer = use(wire, method, body, None)
        # A response is to somebody who asked, in a session.
        expected = (403, "method_unknown") if body == RESPONSE else (200, None)
        said = answer.json()
        assert (answer.status, said.get("error") if expected[1] else None) == expected, body
    assert not [seen for seen in presto.received if "mcp-session-id" in seen]


def test_a_new_session_begins_without_an_old_one(presto: Upstream, wire: Wire) -> None:
    for session in (opened(wire), OF_SERVER):
        presto.received.clear()
        answer = use(wire, "POST", INITIALIZE, session)
        (seen,) = presto.received
        assert (answer.status, "mcp-session-id" in seen) == (200, False)


@pytest.mark.parametrize("name", ["two words", "x" * 5000, "\x7f"])
def test_a_name_that_no_session_may_have_opens_none(
    presto: Upstream, wire: Wire, name: str
) -> None:
    said = presto.pieces
    presto.says(upstream.whole(RESULT, Mcp_Session_Id=name))
    try:
        answer = wire.send("/presto/mcp", INITIALIZE)
        # Envoy refuses some of them itself.
        assert answer.status in (502, 503)
        assert answer.header("mcp-session-id") is None
    finally:
        presto.says(*said)


def test_a_restart_and_older_routes_change_nothing(presto: Upstream, wire: Wire) -> None:
    name = opened(wire)
    with wire.stack.stopped("toolgate"):
        pass
    assert use(wire, "POST", CALL, name).status == 200
    # They have no answer seen, so none opens a session; those that are open go on.
    with another_envoy(wire.stack, older_routes):
        assert use(wire, "POST", INITIALIZE, None).status == 503
        assert use(wire, "POST", CALL, name).status == 200
