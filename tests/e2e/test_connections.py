"""Every request stands for itself, whatever went over its connection before or beside it."""

import http.client
import ssl
from concurrent.futures import ThreadPoolExecutor

import raw
from bad.row import MODERN_CALL
from test_bad_requests import MODERN_HEADERS
from wire import USUAL, Wire

# Who asks, and what comes of it.
TURNS = [
    ("alice", "seen by the server: user=alice groups=ads"),
    ("erin", '"reason":"no_grant"'),
    (None, '"error":"unauthenticated"'),
    ("bob", "seen by the server: user=bob groups=finance"),
    ("nonsense", '"error":"token_invalid"'),
    ("ines", "seen by the server: user=ines groups=infra"),
    ("alice", "seen by the server: user=alice groups=ads"),
]


def ask(wire: Wire, connection: http.client.HTTPSConnection, person: str | None) -> str:
    headers = dict([*USUAL, *MODERN_HEADERS])
    if person:
        token = person if person == "nonsense" else wire.token(person)
        headers["Authorization"] = f"Bearer {token}"
    connection.request("POST", "/presto/mcp", MODERN_CALL, headers)
    return connection.getresponse().read().decode()


def connect(wire: Wire) -> http.client.HTTPSConnection:
    tls: ssl.SSLContext = raw.tls(wire.stack.ca, wire.stack.cert("ai-chat"))
    return http.client.HTTPSConnection("localhost", wire.stack.ports["mtls"], context=tls)


def test_people_take_turns_on_one_connection(wire: Wire) -> None:
    connection = connect(wire)
    for person, expected in TURNS * 2:
        assert expected in ask(wire, connection, person)
    connection.close()


def test_people_call_at_the_same_time(wire: Wire) -> None:
    for person, _ in TURNS:
        if person not in (None, "nonsense"):
            wire.token(str(person))

    def client(start: int) -> list[tuple[str, str]]:
        connection = connect(wire)
        turns = (TURNS[start % len(TURNS) :] + TURNS[: start % len(TURNS)]) * 5
        answers = [(expected, ask(wire, connection, person)) for person, expected in turns]
        connection.close()
        return answers

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(client, range(8)):
            for expected, answer in answers:
                assert expected in answer
