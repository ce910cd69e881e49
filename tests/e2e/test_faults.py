"""A fault inside Toolgate costs the request that met it, and whatever else Toolgate's socket says
instead of an answer lets nothing through."""

import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from stack import Stack
from wire import Wire
from workspace import REPOSITORY

# What Envoy says to each: an answer that is a refusal is 403, no answer is 503.
FAULTS = {
    "panic": 503,
    "slow": 503,
    "error": 503,
    "unknown-status": 403,
    "negative-status": 403,
}


def build_with_faults() -> None:
    """Makes the Toolgate that is no release."""
    build = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--quiet"]
    build += ["--features", "faults", "--example", "toolgate_faults"]
    subprocess.run(build, cwd=REPOSITORY, check=True)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a Toolgate that has faults when it is asked to."""
    build_with_faults()
    with Stack(REPOSITORY / "target/e2e/faults", toolgate="examples/toolgate_faults") as stack:
        yield Wire(stack)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_refuses_its_request_and_no_other(wire: Wire, fault: str) -> None:
    before = wire.stack.mark()
    assert wire.call(headers=[("X-Fault", fault)]).status == FAULTS[fault]
    assert wire.stack.records(before) == []
    assert wire.call().status == 200


def test_a_panic_beside_other_requests_is_not_theirs(wire: Wire) -> None:
    wire.call()  # so that the token is there
    before = wire.stack.mark()

    def ask(panic: bool) -> int:
        return wire.call(headers=[("X-Fault", "panic")] if panic else []).status

    turns = [False, True, False, False] * 10
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, turns)) == [503 if panic else 200 for panic in turns]
    assert len(wire.stack.records(before)) == turns.count(False)
    assert wire.stack.processes["toolgate"].running


def closes(connection: socket.socket) -> None:
    connection.close()


def babbles(connection: socket.socket) -> None:
    noise = random.Random(4711)  # the same in every run
    connection.sendall(noise.randbytes(4096))
    connection.recv(65536)
    connection.sendall(noise.randbytes(4096))


def speaks_another_protocol(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def answers_with_nothing(connection: socket.socket) -> None:
    """A response to the first stream without a message: headers that end it, gRPC status OK."""
    connection.recv(65536)
    settings, acknowledged = b"\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0"
    # RFC 7541: `:status: 200` from the table, the others spelled out.
    block = b"\x88" + literal(b"content-type", b"application/grpc") + literal(b"grpc-status", b"0")
    headers = len(block).to_bytes(3, "big") + b"\1\5\0\0\0\1" + block
    connection.sendall(settings + acknowledged + headers)
    never_answers(connection)


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that is not indexed (RFC 7541 §6.2.2)."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def never_answers(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@contextmanager
def impostor(
    path: Path, behaviour: Callable[[socket.socket], None]
) -> Iterator[list[socket.socket]]:
    """Something else at Toolgate's socket; gives the connections made to it."""
    met: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        met.append(connection)
        with connection, suppress(OSError):
            behaviour(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=[connection], daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield met
        finally:
            for opened in [listener, *met]:
                with suppress(OSError):  # closed already
                    opened.shutdown(socket.SHUT_RDWR)
            path.unlink()


@pytest.mark.parametrize(
    "behaviour",
    [closes, babbles, speaks_another_protocol, answers_with_nothing, never_answers],
)
def test_what_is_no_answer_lets_nothing_through(
    wire: Wire, behaviour: Callable[[socket.socket], None]
) -> None:
    stack = wire.stack
    before = stack.mark()
    with stack.stopped("toolgate"), impostor(stack.grpc, behaviour) as met:
        for _ in range(2):
            assert wire.call().status == 503
        assert met, "Envoy asked nobody"
    assert stack.records(before) == []
    assert wire.call().status == 200
