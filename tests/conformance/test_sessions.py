"""Sessions of the older era belong to who opened them, whichever library did."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway import Gateway
from libraries import LIBRARIES, Client, Library

OLDER = pytest.mark.parametrize("library", [one for one in LIBRARIES if one.era == "older"], ids=str)
# Those whose transport takes a session that is there already.
GOES_ON = pytest.mark.parametrize("library", [one for one in LIBRARIES if one.name == "ts_v1"], ids=str)

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
ANSWER = {"jsonrpc": "2.0", "id": 0, "result": {}}
ATTEMPTS = [("POST", PING), ("POST", INITIALIZED), ("POST", ANSWER), ("GET", None), ("DELETE", None)]

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def attempt(url: str, token: str, session: str, method: str, body: object) -> int:
    """The status of one request in a session."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2025-11-25",
        "Mcp-Session-Id": session,
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with _http.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextmanager
def opened(running: Gateway, library: Library) -> Iterator[tuple[Client, str]]:
    """A client of tess's, and its session as it came out of Envoy."""
    before = len(running.sessions())
    with library.connected(running.through("fixture", "own"), running.tester()) as client:
        assert client.greeting["kind"] == "connected", client.greeting
        (session,) = set(running.sessions()[before:])
        yield client, session
        # Whatever others tried.
        assert client.call("test_simple_text")["kind"] == "result"


@OLDER
def test_nobody_else_gets_into_a_session(running: Gateway, library: Library) -> None:
    strangers = {
        "another user": (running.through("fixture", "own"), running.tester("otto")),
        "another workload": (running.through("fixture", "elsewhere"), running.tester()),
        "another server": (running.through("everything", "own"), running.tester()),
    }
    with opened(running, library) as (_, session):
        for who, (url, token) in strangers.items():
            for method, body in ATTEMPTS:
                status = attempt(url, token, session, method, body)
                assert status == 404, f"{method} by {who}"


@OLDER
def test_its_own_user_gets_into_a_session(running: Gateway, library: Library) -> None:
    with opened(running, library) as (_, session):
        url = running.through("fixture", "own")
        assert attempt(url, running.tester(), session, "POST", PING) == 200
        assert attempt(url, running.tester(), session, "POST", INITIALIZED) == 202


@GOES_ON
def test_a_library_does_not_go_on_with_somebody_elses_session(
    running: Gateway, library: Library
) -> None:
    url = running.through("fixture", "own")
    with opened(running, library) as (_, session):
        with library.connected(url, running.tester(), session=session) as own:
            assert own.call("test_simple_text")["kind"] == "result"
        with library.connected(url, running.tester("otto"), session=session) as other:
            answer = other.greeting
            if answer["kind"] == "connected":
                answer = other.call("test_simple_text")
        assert (answer["kind"], answer.get("code")) == ("error", 404), answer
