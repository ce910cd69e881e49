"""Answers come to Toolgate where it asks for them, and pass nowhere else: whatever mixture of
listener, routes and Toolgate is running."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import upstream
from bad.row import CALL, rpc
from process import Process
from raw import Answer, Header
from stack import Stack, answers, envoy
from test_envoy import connection_managers
from upstream import Upstream
from wire import Wire
from workspace import REPOSITORY

EXT_AUTHZ = "envoy.filters.http.ext_authz"
EXT_PROC = "envoy.filters.http.ext_proc"
INITIALIZE = rpc(
    "initialize",
    {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
)
SESSION = {"Mcp_Session_Id": "from-the-upstream"}
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'


@pytest.fixture(scope="module")
def presto() -> Iterator[Upstream]:
    with upstream.running() as server:
        yield server


@pytest.fixture(scope="module")
def ours(presto: Upstream) -> Iterator[Wire]:
    edit = upstream.in_place_of_presto(presto)
    with Stack(REPOSITORY / "target/e2e/answers", edit=edit) as stack:
        yield Wire(stack)


def send(wire: Wire, body: bytes, headers: list[Header] | None = None) -> Answer:
    return wire.send("/presto/mcp", body, headers=headers or [])


def test_only_the_answer_to_initialize_opens_a_session(presto: Upstream, ours: Wire) -> None:
    presto.says(upstream.whole(RESULT, **SESSION))
    opened, called = send(ours, INITIALIZE), send(ours, CALL)
    assert (opened.status, opened.body, called.status, called.body) == (200, RESULT, 200, RESULT)
    assert opened.header("mcp-session-id") is not None
    assert called.header("mcp-session-id") is None


def test_the_upstream_sees_nothing_of_it(presto: Upstream, ours: Wire) -> None:
    presto.says(upstream.whole(RESULT))
    presto.received.clear()
    headers: list[Header] = [("Accept-Encoding", "gzip"), ("X-Toolgate-Answer", "session")]
    for body in (INITIALIZE, CALL):
        assert send(ours, body, headers).status == 200
    looked_at, plain = presto.received
    # What is looked at comes as it is.
    assert ("accept-encoding" in looked_at, "accept-encoding" in plain) == (False, True)
    assert not [name for seen in presto.received for name in seen if name == "x-toolgate-answer"]


def test_what_envoy_says_itself_stays(presto: Upstream, ours: Wire) -> None:
    nowhere = ours.send("/nowhere/mcp", CALL)
    assert (nowhere.status, nowhere.body) == (404, b"")
    # An upstream that hangs up.
    presto.says()
    for body in (INITIALIZE, CALL):
        assert send(ours, body).status == 503
    stranger = ours.send("/presto/mcp", INITIALIZE, person=None)
    assert (stranger.status, stranger.json()["error"]) == (401, "unauthenticated")


# What Envoy may be left with while something is being upgraded: how its configuration is changed,
# and the status of `initialize` and of a call.
Change = Callable[[dict[str, Any]], None]


def older_listener(config: dict[str, Any]) -> None:
    for manager in connection_managers(config):
        filters = manager["http_filters"]
        manager["http_filters"] = [entry for entry in filters if entry["name"] != EXT_PROC]
        del filters[0]["typed_config"]["grpc_service"]["initial_metadata"]


def older_routes(config: dict[str, Any]) -> None:
    for host in hosts(config):
        kept = [route for route in host["routes"] if not route["name"].endswith("/answers")]
        host["routes"] = kept
        for route in kept:
            of_route = route["typed_per_filter_config"]
            del of_route[EXT_PROC]
            told = of_route[EXT_AUTHZ]["check_settings"]["context_extensions"]
            del told["toolgate.answers"]
            route.pop("response_headers_to_remove", None)


def nothing_told(config: dict[str, Any]) -> None:
    of_ext_proc(config, lambda entry: entry.pop("metadata_options"))


def no_override(config: dict[str, Any]) -> None:
    of_ext_proc(config, lambda entry: entry.update(allow_mode_override=False))


def nobody_there(config: dict[str, Any]) -> None:
    nowhere = {"envoy_grpc": {"cluster_name": "nowhere"}}
    cluster = {"name": "nowhere", "type": "STATIC", "connect_timeout": "1s"}
    config["static_resources"]["clusters"].append(cluster)
    of_ext_proc(config, lambda entry: entry.update(grpc_service=nowhere))


def of_ext_proc(config: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> None:
    for manager in connection_managers(config):
        for entry in manager["http_filters"]:
            if entry["name"] == EXT_PROC:
                change(entry["typed_config"])


def hosts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for manager in connection_managers(config):
        yield from manager["route_config"]["virtual_hosts"]


MIXTURES: list[tuple[Change, int, int]] = [
    (older_listener, 503, 200),
    (older_routes, 503, 200),
    (nothing_told, 503, 200),
    (no_override, 200, 200),
    (nobody_there, 503, 200),
]


@pytest.mark.parametrize(("change", "opened", "called"), MIXTURES, ids=lambda it: str(it))
def test_no_mixture_lets_an_answer_pass_unseen(
    presto: Upstream, ours: Wire, change: Change, opened: int, called: int
) -> None:
    presto.says(upstream.whole(RESULT, **SESSION))
    with another_envoy(ours.stack, change):
        assert (send(ours, INITIALIZE).status, send(ours, CALL).status) == (opened, called)


@contextmanager
def another_envoy(stack: Stack, change: Change) -> Iterator[None]:
    """Beside the one that runs, with a configuration that is changed."""
    config = json.loads(
        stack.toolgate("envoy", "--config", "toolgate.yaml", "--static", "--plain")
    )
    change(config)
    text, ports = json.dumps(config), dict(stack.ports)
    for name in ("mtls", "plain"):
        stack.ports[name] = free_port()
        text = text.replace(f'"port_value": {ports[name]}', f'"port_value": {stack.ports[name]}')
    path = stack.config.with_name("another.json")
    path.write_text(text)
    plain = stack.ports["plain"]
    process = Process(
        "another",
        [envoy(), "--config-path", path.name, "--log-level", "warning"]
        + ["--disable-hot-restart", "--concurrency", "1"],
        lambda: any(answers(plain, "/", status=status) for status in (404, 503)),
        cwd=path.parent,
        log=stack.run / "another.log",
    )
    process.start()
    try:
        yield
    finally:
        process.stop()
        stack.ports.update(ports)


def free_port() -> int:
    with upstream.running() as server:
        return server.port
