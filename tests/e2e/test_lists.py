"""Lists show what their caller may use: as JSON and as events, whatever upstreams make of them."""

import asyncio
import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import raw
import upstream
from bad.row import META, MODERN, rpc
from client import Era, session
from raw import Answer, Header
from stack import Stack
from test_answers import (
    INITIALIZE,
    RESULT,
    SESSION,
    another_envoy,
    older_listener,
    older_routes,
)
from test_story import ERAS
from upstream import EVENTS, JSON, Piece, Upstream
from wire import USUAL, Wire
from workspace import REPOSITORY

LISTS = {
    # who, from where, of which server: the tools that are seen
    ("alice", "ai-chat", "presto"): {"list_tables", "run_query"},
    ("ines", "ai-chat", "presto"): {"list_tables", "run_query", "overwrite_table"},
    ("ines", "ide", "presto"): {"list_tables", "run_query"},
    ("erin", "ai-chat", "presto"): {"get_revenue_metrics", "overwrite_table"},
    ("dora", "ai-chat", "presto"): {"overwrite_table"},
    ("carl", "ai-chat", "presto"): set(),
    ("kim", "ide", "presto@staging"): {"list_tables", "run_query"},
    ("alice", "ai-chat", "knowledge"): {"search", "read_page"},
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("who", "expected"), LISTS.items(), ids=lambda it: str(it))
def test_everybody_sees_the_tools_that_they_may_use(
    stack: Stack, who: tuple[str, str, str], expected: set[str], era: Era
) -> None:
    person, place, server = who

    async def listed() -> list[str]:
        async with session(
            stack.url(server),
            token=stack.sign_in(person),
            cert=stack.cert(place),
            ca=stack.ca,
            era=era,
        ) as mcp:
            return await mcp.list_tools()

    names = asyncio.run(listed())
    assert (set(names), len(names)) == (expected, len(expected))


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "é\u2028 is kept", "inputSchema": {"type": "object"}, **more}


def result(names: list[str], **more: Any) -> bytes:
    """A page of tools, spelled as nobody else would."""
    items = b" ,\n".join(json.dumps(item(name)).encode() for name in names)
    rest = json.dumps({"nextCursor": "bz0y", "x": 1e2, **more})[1:].encode()
    return b'{"jsonrpc" : "2.0", "id":1, "result": {"tools":[' + items + b"], " + rest + b"}"


ALL = result(["list_tables", "get_revenue_metrics", "run_query", "unreviewed"])
# For alice.
LEFT = result(["list_tables", "run_query"]).replace(b" ,\n", b",")
PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}'
LIST = rpc("tools/list")


@pytest.fixture(scope="module")
def presto() -> Iterator[Upstream]:
    with upstream.running() as server:
        yield server


@pytest.fixture(scope="module")
def ours(presto: Upstream) -> Iterator[Wire]:
    edit = upstream.in_place_of_presto(presto)
    with Stack(REPOSITORY / "target/e2e/lists", edit=edit) as stack:
        yield Wire(stack)


def ask(wire: Wire, body: bytes = LIST, headers: list[Header] | None = None) -> Answer:
    return wire.send("/presto/mcp", body, headers=headers or [])


def events(*messages: bytes) -> bytes:
    lines = (b"data: " + message.replace(b"\n", b"\ndata: ") for message in messages)
    return b"".join(b"id: 7\nevent: message\n" + line + b"\n\n" for line in lines)


def test_a_document_is_filtered_and_nothing_else_of_it_changes(
    presto: Upstream, ours: Wire
) -> None:
    presto.says(upstream.whole(ALL, X_Its_Own="kept"))
    answer = ask(ours)
    assert (answer.status, answer.body) == (200, LEFT)
    assert (answer.header("content-type"), answer.header("x-its-own")) == (JSON, "kept")
    # Byte for byte where there is nothing to leave out.
    whole = LEFT.replace(b"},{", b"} ,\t{")
    presto.says(upstream.whole(whole))
    assert ask(ours).body == whole


def test_events_are_filtered_one_by_one(presto: Upstream, ours: Wire) -> None:
    stream = b": hello\n\n" + events(PROGRESS, ALL, PROGRESS)
    expected = b": hello\n\n" + events(PROGRESS, LEFT, PROGRESS)
    for pieces in [
        [stream],
        [stream[at : at + 1] for at in range(len(stream))],
        [stream[at : at + 7] for at in range(0, len(stream), 7)],
    ]:
        presto.says(*upstream.chunked(pieces))
        answer = ask(ours)
        assert (answer.status, answer.body) == (200, expected)
        assert answer.header("content-type") == EVENTS


def test_the_newer_era_is_told_that_a_list_is_for_nobody_else(presto: Upstream, ours: Wire) -> None:
    body = rpc("tools/list", {"_meta": META})
    headers: list[Header] = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/list")]
    presto.says(upstream.whole(result(["run_query", "unreviewed"], cacheScope="public")))
    told = ask(ours, body, headers).json()["result"]
    assert [tool["name"] for tool in told["tools"]] == ["run_query"]
    assert (told["cacheScope"], told["nextCursor"]) == ("private", "bz0y")


def test_an_event_is_not_held_longer_than_it_takes(presto: Upstream, ours: Wire) -> None:
    presto.says(*upstream.chunked([events(PROGRESS), 0.6, events(ALL), 0.6, events(PROGRESS)]))
    arrivals = list(read_slowly(ours, LIST))
    assert b"".join(piece for _, piece in arrivals).count(b"\n\n") == 3
    first = next(at for at, piece in arrivals if b"progress" in piece)
    second = next(at for at, piece in arrivals if b"run_query" in piece)
    assert first < 0.4 < second < 1.1, arrivals


def read_slowly(wire: Wire, body: bytes) -> Iterator[tuple[float, bytes]]:
    """What comes, and when."""
    headers: list[Header] = [*USUAL, ("Connection", "close")]
    headers.append(("Authorization", f"Bearer {wire.token('alice')}"))
    tls = raw.tls(wire.stack.ca, wire.stack.cert("ai-chat"))
    with socket.create_connection(("127.0.0.1", wire.stack.ports["mtls"]), 10) as plain:
        with tls.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(raw.request("POST", "/presto/mcp", headers, body))
            began = time.monotonic()
            try:
                while piece := connection.recv(65536):
                    yield time.monotonic() - began, piece
                    if piece.endswith(b"0\r\n\r\n"):
                        return
            except ssl.SSLEOFError:
                return


TOO_LARGE = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[],"x":"' + b"x" * (9 << 20) + b'"}}'

# What an upstream may answer, and what becomes of it.
REFUSED: dict[str, list[Piece]] = {
    "compressed": [upstream.whole(ALL, Content_Encoding="gzip")],
    "as text": [upstream.whole(ALL, "text/plain")],
    "of no type": [upstream.whole(ALL, None)],
    "in another character set": [upstream.whole(ALL, "application/json; charset=utf-16")],
    "of two types": [
        upstream.head(JSON).replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n") + ALL
    ],
    "a batch": [upstream.whole(b"[" + ALL + b"]")],
    "two documents": [upstream.whole(ALL + ALL)],
    "a key twice": [upstream.whole(ALL.replace(b'"result"', b'"result":{},"result"'))],
    "a tool with two names": [upstream.whole(ALL.replace(b'{"name"', b'{"name":"run_query","name"', 1))],
    "a tool without a name": [upstream.whole(ALL.replace(b'"name"', b'"title"', 1))],
    "a key in other case": [upstream.whole(ALL.replace(b'"tools"', b'"Tools"'))],
    "prompts beside it": [upstream.whole(ALL.replace(b'"tools"', b'"prompts":[],"tools"'))],
    "cut off, without a length": [upstream.head(JSON) + ALL[:150]],
    "too large": [upstream.whole(TOO_LARGE)],
    "a batch as an event": upstream.chunked([b"data: [" + LEFT + b"]\n\n"]),
    "an event that goes on": upstream.chunked([b"data: " + LEFT[:150]]),
    "an event that is too large": upstream.chunked([b"data: " + TOO_LARGE + b"\n\n"]),
    "an event for lenient readers": upstream.chunked([b"Data: " + ALL + b"\n\n"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_that_cannot_be_read_is_an_error(presto: Upstream, ours: Wire, name: str) -> None:
    presto.says(*REFUSED[name])
    before = ours.stack.metrics()['toolgate_lists_total{outcome="refused"}']
    answer = ask(ours)
    assert answer.status == 200 and b"unreviewed" not in answer.body
    body = answer.body
    if answer.header("content-type") == EVENTS:
        assert body.startswith(b"event: message\ndata: ") and body.endswith(b"}\n\n")
        body = body.split(b"data: ")[1]
    told = json.loads(body)
    assert (told["id"], told["error"]["code"]) == (1, 403)
    assert told["error"]["data"]["reason"] == "unavailable"
    assert ours.stack.metrics()['toolgate_lists_total{outcome="refused"}'] == before + 1


def test_a_list_that_is_cut_off_is_not_released(presto: Upstream, ours: Wire) -> None:
    cut: list[list[Piece]] = [
        [upstream.whole(ALL)[:-20]],
        upstream.chunked([events(PROGRESS), events(ALL)[:-30]])[:-1],
        upstream.chunked([ALL], JSON)[:-1],
    ]
    for pieces in cut:
        presto.says(*pieces)
        received = b"".join(piece for _, piece in read_slowly(ours, LIST))
        assert b"tools" not in received and b"list_tables" not in received


def test_what_is_no_list_passes(presto: Upstream, ours: Wire) -> None:
    error = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such cursor"}}'
    page = b"<html>Bad gateway</html>"
    for status, said, content_type in [
        ("200 OK", error, JSON),
        ("200 OK", b'{"jsonrpc":"2.0","id":1,"result":{}}', JSON),
        ("400 Bad Request", error, JSON),
        ("502 Bad Gateway", page, "text/html"),
        ("503 Service Unavailable", b"", "text/plain"),
        ("202 Accepted", b"", None),
        ("200 OK", events(error), EVENTS),
        ("404 Not Found", events(error), EVENTS),
    ]:
        length = {"Content_Length": str(len(said))}
        presto.says(upstream.head(content_type, status, **length) + said)
        answer = ask(ours)
        assert (answer.status, answer.body) == (int(status[:3]), said)
    # An error can hold a list, too.
    presto.says(upstream.head(JSON, "500 Oh") + ALL)
    assert (ask(ours).status, ask(ours).body) == (500, LEFT)


KINDS = {
    "prompts/list": ("prompts", "name", ["greet", "other"]),
    "resources/list": ("resources", "uri", ["db://w/a", "db://w/b"]),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", ["db://w/{x}", "{+x}"]),
}


@pytest.mark.parametrize("method", KINDS)
def test_every_list_is_filtered(presto: Upstream, ours: Wire, method: str) -> None:
    """Presto has neither prompts nor resources in the samples: whatever it lists is unseen."""
    key, name, items = KINDS[method]
    listed = {key: [{name: item, "title": "x"} for item in items]}
    presto.says(upstream.whole(json.dumps({"id": 1, "result": listed}).encode()))
    assert ask(ours, rpc(method)).json() == {"id": 1, "result": {key: []}}


def test_the_pages_of_the_handbook_are_seen(wire: Wire) -> None:
    headers: list[Header] = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "resources/list")]
    body = rpc("resources/list", {"_meta": META})
    answer = wire.send("/knowledge/mcp", body, headers=headers)
    text = answer.body.decode()
    told = json.loads(text.split("data: ")[-1] if "data: " in text else text)
    uris = [resource["uri"] for resource in told["result"]["resources"]]
    assert uris and all(uri.startswith("handbook://company/pages/") for uri in uris)
    assert told["result"]["cacheScope"] == "private"


def test_a_stream_that_is_read_again_is_filtered(presto: Upstream, ours: Wire) -> None:
    called = b'{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"tools"}]}}'
    prompts = b'{"jsonrpc":"2.0","id":4,"result":{"prompts":[{"name":"greet"}]}}'
    presto.says(upstream.whole(RESULT, **SESSION))
    opened = ask(ours, INITIALIZE).header("mcp-session-id")
    assert opened
    presto.says(*upstream.chunked([events(PROGRESS, called, ALL, prompts)]))
    headers: list[Header] = [
        ("Accept", EVENTS),
        ("Mcp-Session-Id", opened),
        ("Last-Event-ID", "7"),
    ]
    answer = ours.send("/presto/mcp", None, method="GET", headers=headers)
    nothing = prompts.replace(b'{"name":"greet"}', b"")
    assert (answer.status, answer.body) == (200, events(PROGRESS, called, LEFT, nothing))
    assert presto.received[-1]["last-event-id"] == "7"
    # Nobody's stream is not read again.
    without = [header for header in headers if header[0] != "Mcp-Session-Id"]
    assert ours.send("/presto/mcp", None, method="GET", headers=without).status == 400
    presto.says(upstream.whole(ALL, "text/plain"))
    refused = ours.send("/presto/mcp", None, method="GET", headers=headers)
    assert (refused.status, refused.header("content-type")) == (503, JSON)
    assert refused.json()["error"] == "unavailable"
    assert refused.header("x-toolgate-decision-id") == refused.json()["decision_id"]


def test_no_mixture_of_versions_lets_a_list_pass(presto: Upstream, ours: Wire) -> None:
    presto.says(upstream.whole(ALL))
    with another_envoy(ours.stack, older_listener):
        assert ask(ours).status == 503
    with another_envoy(ours.stack, older_routes):
        assert ask(ours).status == 503


def test_an_answer_does_not_pass_once_toolgate_is_gone(presto: Upstream, ours: Wire) -> None:
    presto.says(*upstream.chunked([events(PROGRESS), 2.0, events(ALL)]))
    received = b""
    for _, piece in read_slowly(ours, LIST):
        if b"progress" in piece:
            ours.stack.processes["toolgate"].kill()
        received += piece
    ours.stack.processes["toolgate"].start()
    assert b"progress" in received and b"list_tables" not in received


def test_an_answer_that_is_under_way_is_looked_at_to_its_end(presto: Upstream, ours: Wire) -> None:
    presto.says(*upstream.chunked([events(PROGRESS), 2.0, events(ALL)]))
    received = b""
    for _, piece in read_slowly(ours, LIST):
        if b"progress" in piece:
            ours.stack.processes["toolgate"].tell(signal.SIGTERM)
        received += piece
    assert ours.stack.processes["toolgate"].wait() == 0
    ours.stack.processes["toolgate"].start()
    assert b"list_tables" in received and b"unreviewed" not in received


def test_a_server_may_show_all_that_it_has(presto: Upstream, ours: Wire) -> None:
    policy = ours.stack.work / "policies/servers/presto.yaml"
    before, text = ours.stack.in_force(), policy.read_text()
    policy.write_text(text + "lists: full\n")
    try:
        until(lambda: ours.stack.in_force() != before)
        presto.says(upstream.whole(ALL))
        assert ask(ours).body == ALL
    finally:
        policy.write_text(text)
        until(lambda: ours.stack.in_force() == before)


# What changes in presto's file while its answer is waited for, and what becomes of the list.
MEANWHILE = {
    "a grant": ("call: [browse, run_query]", "call: [browse]", LEFT),
    "the tools": ("  list_tables:\n", "  added: { effect: read }\n  list_tables:\n", None),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_policies_change_between_a_request_and_its_answer(
    presto: Upstream, ours: Wire, what: str
) -> None:
    """What was decided counts, as long as it still means the same."""
    before, after, expected = MEANWHILE[what]
    policy = ours.stack.work / "policies/servers/presto.yaml"
    text = policy.read_text()
    assert before in text
    digest = ours.stack.in_force()
    changed = threading.Event()
    presto.says(changed, upstream.whole(ALL))
    asked = len(presto.received)
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(ask(ours)))
    asking.start()
    try:
        until(lambda: len(presto.received) > asked)
        policy.write_text(text.replace(before, after))
        until(lambda: ours.stack.in_force() != digest)
    finally:
        changed.set()
        asking.join()
        policy.write_text(text)
        until(lambda: ours.stack.in_force() == digest)
    [answer] = answers
    assert answer.status == 200
    if expected is not None:
        assert answer.body == expected
        return
    told = answer.json()
    assert (told["id"], told["error"]["code"]) == (1, 403)
    assert told["error"]["data"]["reason"] == "unavailable"
    log = ours.stack.processes["toolgate"].log.read_text()
    assert "the server offers something else" in log


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
