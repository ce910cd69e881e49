"""HTTP/2 has its own ways to say something twice, or something else than it seems: no server
receives an identity that way either."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import http2
import raw
from bad.row import META, MODERN, MODERN_CALL, tool
from forgeries import FORGERIES, IDENTITY, OWN, UNDERSCORED
from http2 import Field
from raw import Answer
from stack import Record
from wire import Wire

# What is Envoy's to refuse ends as an error of the request, or of the stream.
ENDED = (0, 400)


def good(wire: Wire, body: bytes | None = MODERN_CALL) -> list[Field]:
    """Alice's call, as a client would send it."""
    length = [] if body is None else [("content-length", str(len(body)))]
    return [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/presto/mcp"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", f"Bearer {wire.token('alice')}"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "list_tables"),
        *length,
    ]


def instead(fields: list[Field], *others: Field) -> list[Field]:
    """With other values where the names are there already, and at the end where they are not."""
    changed = dict(others)
    kept = [(name, changed.pop(name, value)) for name, value in fields]
    return [*kept, *changed.items()]


def without(fields: list[Field], *names: str) -> list[Field]:
    return [(name, value) for name, value in fields if name not in names]


def pseudo_first(fields: list[Field], *more: Field) -> list[Field]:
    """With more pseudo-headers, where pseudo-headers are."""
    pseudo = [(name, value) for name, value in fields if name.startswith(":")]
    return [*pseudo, *more, *fields[len(pseudo) :]]


def ask(wire: Wire, fields: list[Field], body: bytes | None = MODERN_CALL) -> Answer:
    tls = raw.tls(wire.stack.ca, wire.stack.cert("ai-chat"))
    return http2.exchange(wire.stack.ports["mtls"], fields, body, tls)


def check_alice(record: Record) -> None:
    """The server is told about Alice, and about nobody else."""
    assert record.header("x-forwarded-user") == ["alice"]
    assert record.header("x-forwarded-groups") == ["ads"]
    assert record.header("x-toolgate-surface") == ["ai-chat"]
    assert record.header("authorization") == []
    assert "mallory" not in str(record.headers)


def test_a_good_call_passes(wire: Wire) -> None:
    before = wire.stack.mark()
    answer = ask(wire, good(wire))
    assert answer.status == 200 and b"user=alice groups=ads" in answer.body
    (record,) = wire.stack.records(before)
    check_alice(record)


def test_forged_headers_change_nothing(wire: Wire) -> None:
    forgeries = {
        tuple((name.lower(), _text(value)) for name, value in forgery)
        for forgery in FORGERIES
        # A header of the connection, which HTTP/2 does not have.
        if not {name.lower() for name, _ in forgery} & {"connection", "keep-alive"}
    }
    for forged in sorted(forgeries):
        for fields in [[*good(wire), *forged], pseudo_first(good(wire), *forged)]:
            before = wire.stack.mark()
            answer = ask(wire, fields)
            assert answer.status == 200, (forged, answer)
            (record,) = wire.stack.records(before)
            check_alice(record)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


Change = Callable[[list[Field]], list[Field]]

# To smuggle with, where only one header is meant.
MORE = "\r\nx-forwarded-user: mallory"


LENGTH = len(MODERN_CALL)

# Each a change that leaves no HTTP request.
CHANGES: dict[str, Change] = {
    "another path": lambda fields: pseudo_first(fields, (":path", "/lab/mcp")),
    "the path twice": lambda fields: pseudo_first(fields, (":path", "/presto/mcp")),
    "another path first": lambda fields: [(":path", "/lab/mcp"), *fields],
    "another path last": lambda fields: [*fields, (":path", "/lab/mcp")],
    "another method": lambda fields: pseudo_first(fields, (":method", "GET")),
    "another authority": lambda fields: pseudo_first(fields, (":authority", "other.example.com")),
    "another scheme": lambda fields: pseudo_first(fields, (":scheme", "http")),
    "a status": lambda fields: pseudo_first(fields, (":status", "200")),
    "a pseudo-header of no standard": lambda fields: pseudo_first(fields, (":user", "mallory")),
    "a protocol": lambda fields: pseudo_first(fields, (":protocol", "websocket")),
    "pseudo-headers last": lambda fields: [*fields[4:], *fields[:4]],
    "no method": lambda fields: without(fields, ":method"),
    "no path": lambda fields: without(fields, ":path"),
    "no scheme": lambda fields: without(fields, ":scheme"),
    "an empty path": lambda fields: instead(fields, (":path", "")),
    "a path of everything": lambda fields: instead(fields, (":path", "*")),
    "a path without a slash": lambda fields: instead(fields, (":path", "presto/mcp")),
    "two paths in one": lambda fields: instead(fields, (":path", "/presto/mcp /lab/mcp")),
    "a header in the path": lambda fields: instead(fields, (":path", f"/presto/mcp{MORE}")),
    "a request in the method": lambda fields: instead(fields, (":method", f"POST /{MORE}")),
    "a header in the authority": lambda fields: instead(fields, (":authority", f"localhost{MORE}")),
    "a header in a value": lambda fields: [*fields, ("x-a", f"b{MORE}")],
    "a header after a bare line feed": lambda fields: [*fields, ("x-a", MORE.replace("\r", "b"))],
    "a NUL": lambda fields: [*fields, ("x-a", "b\0")],
    "a header in a name": lambda fields: [*fields, ("x-a\r\nx-forwarded-user", "mallory")],
    "a blank after a name": lambda fields: [*fields, ("x-forwarded-user ", "mallory")],
    "a blank before a name": lambda fields: [*fields, (" x-forwarded-user", "mallory")],
    "a colon after a name": lambda fields: [*fields, ("x-forwarded-user:", "mallory")],
    "no name": lambda fields: [*fields, ("", "mallory")],
    "a connection's header": lambda fields: [*fields, ("connection", "x-forwarded-user")],
    "chunked": lambda fields: [*fields, ("transfer-encoding", "chunked")],
    "an upgrade": lambda fields: [*fields, ("upgrade", "websocket")],
    "a length too small": lambda fields: instead(fields, ("content-length", str(LENGTH - 1))),
    "a length too large": lambda fields: instead(fields, ("content-length", str(LENGTH + 1))),
    "a length of nothing": lambda fields: instead(fields, ("content-length", "0")),
    "a length with a sign": lambda fields: instead(fields, ("content-length", f"+{LENGTH}")),
    "a length of nonsense": lambda fields: instead(fields, ("content-length", "nonsense")),
    "two lengths": lambda fields: [*fields, ("content-length", str(LENGTH - 1))],
}


def test_what_is_no_request_reaches_no_server(wire: Wire) -> None:
    check_end(wire, {name: change(good(wire)) for name, change in CHANGES.items()})


def test_names_with_capitals_are_refused(wire: Wire) -> None:
    spelled = {
        spelling(name): [*good(wire), (spelling(name), "mallory")]
        for name in [*IDENTITY, *OWN]
        for spelling in (str.title, str.upper, str.capitalize)
    }
    check_end(wire, spelled)


def test_names_with_underscores_are_refused(wire: Wire) -> None:
    names = {name.lower() for forgery in UNDERSCORED for name, _ in forgery}
    check_end(wire, {name: [*good(wire), (name, "mallory")] for name in names})


def check_end(
    wire: Wire,
    requests: dict[str, list[Field]],
    body: bytes | None = MODERN_CALL,
    end: tuple[int, ...] = ENDED,
) -> None:
    before = wire.stack.mark()
    # At once, since Envoy takes a second to close a connection that it has given up.
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = pool.map(lambda fields: ask(wire, fields, body).status, requests.values())
    passed = {
        name: status for name, status in zip(requests, answers, strict=True) if status not in end
    }
    assert passed == {}
    assert wire.stack.records(before) == []


def test_there_are_no_tunnels(wire: Wire) -> None:
    upstream = f"127.0.0.1:{wire.stack.ports['presto']}"
    kept = instead(without(good(wire, None), ":scheme", ":path"), (":method", "CONNECT"))
    targets = ["presto", "localhost", "localhost:443", upstream]
    requests = {target: instead(kept, (":authority", target)) for target in targets}
    check_end(wire, requests, None, end=(404,))


@pytest.mark.parametrize("body", [None, MODERN_CALL], ids=["no body", "a call"])
def test_there_are_no_extended_tunnels(wire: Wire, body: bytes | None) -> None:
    fields = instead(good(wire, None), (":method", "CONNECT"))
    protocols = ["websocket", "connect-udp", "connect-ip", "bytestream"]
    requests = {name: pseudo_first(fields, (":protocol", name)) for name in protocols}
    check_end(wire, requests, body)


@pytest.mark.parametrize(
    ("name", "status"), [("authorization", 401), ("content-type", 400), ("mcp-name", 400)]
)
def test_what_may_stand_once_does_not_stand_twice(wire: Wire, name: str, status: int) -> None:
    before = wire.stack.mark()
    answer = ask(wire, [*good(wire), (name, dict(good(wire))[name])])
    assert answer.status == status
    assert wire.stack.records(before) == []


def test_a_host_beside_the_authority_means_nothing(wire: Wire) -> None:
    before = wire.stack.mark()
    assert ask(wire, [*good(wire), ("host", "mallory.example.com")]).status == 200
    (record,) = wire.stack.records(before)
    check_alice(record)


def test_trailers_are_no_headers(wire: Wire) -> None:
    before = wire.stack.mark()
    tls = raw.tls(wire.stack.ca, wire.stack.cert("ai-chat"))
    fields = without(good(wire), "content-length")
    trailers = [("x-forwarded-user", "mallory"), ("x-toolgate-surface", "mallory")]
    answer = http2.exchange(wire.stack.ports["mtls"], fields, MODERN_CALL, tls, trailers)
    assert answer.status == 200
    (record,) = wire.stack.records(before)
    check_alice(record)


def test_an_http2_call_is_no_more_allowed_than_another(wire: Wire) -> None:
    before = wire.stack.mark()
    body = tool("get_revenue_metrics", _meta=META)
    fields = instead(good(wire, body), ("mcp-name", "get_revenue_metrics"))
    answer = ask(wire, fields, body)
    assert answer.json()["error"]["data"]["reason"] == "no_grant"
    assert ask(wire, without(good(wire), "authorization")).status == 401
    assert wire.stack.records(before) == []
