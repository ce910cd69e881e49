"""HTTP/1.1 as it should not be: what is given here reaches the wire byte for byte, be it header
case and order, duplicates, or targets that no client would send."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

PATIENCE = 15.0  # seconds

Header = tuple[str, str | bytes]


@dataclass(frozen=True)
class Answer:
    """`status` is 0 when the connection ended without an answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's values, joined by commas."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self) -> Any:
        """The body as JSON, and None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def request(
    method: str,
    target: str | bytes,
    headers: Iterable[Header] = (),
    body: bytes | None = None,
    *,
    host: str = "localhost",
) -> bytes:
    """A request's bytes. `Host` and `Content-Length` are added where `headers` has none."""
    headers = list(headers)
    given = {name.lower() for name, _ in headers}
    if "host" not in given:
        headers.insert(0, ("Host", host))
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(body))))
    lines = [method.encode() + b" " + _bytes(target) + b" HTTP/1.1"]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def exchange(port: int, sent: bytes, tls: ssl.SSLContext | None = None) -> Answer:
    """Sends bytes over a connection of their own, and reads one answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
            # Or the request waits for the acknowledgement of the handshake's last message.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is None:
                return _exchange(plain, sent)
            with tls.wrap_socket(plain, server_hostname="localhost") as wrapped:
                return _exchange(wrapped, sent)
    except (ConnectionError, http.client.HTTPException, ssl.SSLError):
        return Answer(0, [], b"")


def tls(ca: str, cert: tuple[str, str] | None) -> ssl.SSLContext:
    """What a client with this certificate speaks."""
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(*cert)
    return context


def _exchange(connection: socket.socket, sent: bytes) -> Answer:
    with suppress(ConnectionError):  # refused before all was read, but perhaps with an answer
        connection.sendall(sent)
    answer = http.client.HTTPResponse(connection, method=sent.split(b" ", 1)[0].decode())
    try:
        answer.begin()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        answer.close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
