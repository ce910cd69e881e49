"""When Toolgate is away nothing passes, and when it is back everything is as it was."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from bad.row import MODERN_CALL
from raw import Answer
from stack import Stack, binary
from test_bad_requests import MODERN_HEADERS
from wire import Wire
from workspace import REPOSITORY

Outage = Callable[[Stack, str], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a stack of our own: what goes wrong here is nobody else's concern."""
    with Stack(REPOSITORY / "target/e2e/outages") as stack:
        yield Wire(stack)


def ask(wire: Wire, place: str = "ai-chat") -> Answer:
    return wire.send("/presto/mcp", MODERN_CALL, headers=MODERN_HEADERS, place=place)


@contextmanager
def killed(stack: Stack, name: str) -> Iterator[None]:
    """As after a crash: its socket still lies there."""
    stack.processes[name].kill()
    try:
        yield
    finally:
        stack.processes[name].start()


@pytest.mark.parametrize("outage", [Stack.stopped, killed, Stack.paused])
def test_without_toolgate_nothing_passes(wire: Wire, outage: Outage) -> None:
    stack = wire.stack
    assert ask(wire).status == 200
    before = stack.mark()
    with outage(stack, "toolgate"):
        for _ in range(3):
            assert ask(wire).status == 503
    assert stack.records(before) == []
    assert ask(wire).status == 200


def test_toolgate_tidies_up_when_it_is_asked_to_end(wire: Wire) -> None:
    stack = wire.stack
    process = stack.processes["toolgate"]
    socket = stack.grpc
    assert socket.is_socket() and socket.stat().st_mode & 0o777 == 0o660
    assert socket.parent.stat().st_mode & 0o777 == 0o750
    assert process.stop() == 0
    assert not socket.exists()
    process.start()
    assert socket.is_socket()


def test_an_upstream_that_is_away_is_not_a_refusal(wire: Wire) -> None:
    with wire.stack.stopped("servers"):
        answer = ask(wire)
    assert answer.status in (502, 503) and answer.header("x-toolgate-decision-id") is None
    assert ask(wire).status == 200


def test_a_second_toolgate_does_not_disturb_the_first(wire: Wire) -> None:
    stack = wire.stack
    other = stack.config.with_name("second.yaml")
    http = f"127.0.0.1:{stack.ports['toolgate']}"
    other.write_text(stack.config.read_text().replace(http, "127.0.0.1:0"))
    command = [binary("toolgate"), "serve", "--config", other.name]
    second = subprocess.run(
        command, cwd=other.parent, capture_output=True, text=True, timeout=10, check=False
    )
    assert second.returncode != 0 and "another process" in second.stderr
    assert stack.grpc.is_socket()
    assert ask(wire).status == 200
