"""Calls from a few connections that stay open, at a steady rate, with every answer noted."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PATIENCE = 15.0  # seconds


class Gone(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True)
class Noted:
    """What came of one call. `status` is 0 when nothing came."""

    number: int  # also the JSON-RPC id
    call: int  # which of the calls it was
    sent: float  # seconds since the epoch
    answered: float
    status: int
    decision_id: str | None
    body: bytes

    def json(self) -> Any:
        """The message in the body, as it is or as the last event of a stream."""
        lines = [line for line in self.body.splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if line.startswith(b"data:")), None)
        return json.loads(self.body if last is None else last.removeprefix(b"data:"))


# The bytes of a call with this JSON-RPC id.
Call = Callable[[int], bytes]


class Connection:
    """One that is opened when it is needed, and kept."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port, self._tls = port, tls
        self._socket: socket.socket | None = None
        self._rest = b""

    def exchange(self, sent: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body of the answer."""
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._socket.sendall(sent)
            return self._answer()
        except (OSError, Gone):
            self.close()
            raise Gone from None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return plain
        return self._tls.wrap_socket(plain, server_hostname="localhost")

    def _answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        head = self._until(b"\r\n\r\n").split(b"\r\n")
        fields = (line.partition(b":") for line in head[1:])
        headers = {name.lower(): value.strip() for name, _, value in fields}
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._until(b"\r\n")
        else:
            body = self._exactly(int(headers.get(b"content-length", b"0")))
        if headers.get(b"connection") == b"close":
            self.close()
        return int(head[0].split(b" ", 2)[1]), headers, body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._read()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._read()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _read(self) -> None:
        data = self._socket.recv(65536) if self._socket else b""
        if not data:
            raise Gone
        self._rest += data


class Load:
    """Callers that share a rate, from `start` to `stop`; each has a connection and takes its calls
    in turn."""

    def __init__(
        self,
        rate: float,
        lanes: Sequence[tuple[Connection, Sequence[int]]],
        calls: Sequence[Call],
    ) -> None:
        self._rate, self._lanes, self._calls = rate, lanes, calls
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._noted: list[list[Noted]] = [[] for _ in lanes]

    def start(self) -> None:
        for lane in range(len(self._lanes)):
            self._threads.append(threading.Thread(target=self._run, args=[lane], daemon=True))
            self._threads[-1].start()

    def stop(self) -> list[Noted]:
        """Everything, once every call has been answered or given up."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return [noted for lane in self._noted for noted in lane]

    def count(self) -> int:
        return sum(map(len, self._noted))

    def _run(self, lane: int) -> None:
        connection, turns = self._lanes[lane]
        width = len(self._lanes)
        interval = width / self._rate
        due = time.monotonic() + interval * lane / width
        turn = 0
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            # What an outage held up is not made up for all at once.
            due = max(due + interval, time.monotonic() - 1)
            number, call = 1 + lane + width * turn, turns[turn % len(turns)]
            turn += 1
            self._noted[lane].append(note(connection, number, call, self._calls[call](number)))
        connection.close()


def note(connection: Connection, number: int, call: int, sent: bytes) -> Noted:
    """Makes one call."""
    began = time.time()
    try:
        status, headers, body = connection.exchange(sent)
    except Gone:
        return Noted(number, call, began, time.time(), 0, None, b"")
    decision = headers.get(b"x-toolgate-decision-id")
    shown = decision.decode() if decision else None
    return Noted(number, call, began, time.time(), status, shown, body)
