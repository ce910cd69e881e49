"""Providers of keys that answer as a test tells them to."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 15.0  # seconds


def wait_until(reached: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.05)


Behaviour = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that does not trust us hangs up."""


class KeyServer:
    """Answers GET as it is told to, and knows what it was asked for."""

    def __init__(
        self, port: int, behaviour: Behaviour, tls: ssl.SSLContext | None = None
    ) -> None:
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.headers: list[Message] = []  # of each request
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.headers.append(self.headers)
                server.asked.append(self.path)
                try:
                    server.behaviour(self)
                except OSError:
                    self.close_connection = True  # the client has had enough

            def log_message(self, *_: object) -> None:
                pass

        self.http = _Server(("127.0.0.1", port), Handler)
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def key_server(
    port: int, behaviour: Behaviour, tls: ssl.SSLContext | None = None
) -> Iterator[KeyServer]:
    server = KeyServer(port, behaviour, tls)
    try:
        yield server
    finally:
        server.close()


def document(
    body: bytes, status: int = 200, content_type: str = "application/json", **headers: str
) -> Behaviour:
    """This, with headers whose names are written with `_` here."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def streamed(body: bytes) -> Behaviour:
    """Without saying how much it will be."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return behave


def dripping(body: bytes) -> Behaviour:
    """A byte now and then: never silent for long, and never done."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for byte in body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.2)

    return behave


def cut_off(body: bytes) -> Behaviour:
    """What arrives is a whole key set, but not all that was announced."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 10))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return behave


def padded(body: bytes, size: int) -> bytes:
    """The same key set with as many blanks as make it this long."""
    return body + b" " * (size - len(body))
