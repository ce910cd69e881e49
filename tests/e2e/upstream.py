"""An upstream that answers every request with the same bytes, piece by piece."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

JSON = "application/json"
EVENTS = "text/event-stream"

# A piece of an answer; or a pause: in seconds, or until something has happened.
Piece = bytes | float | threading.Event


class Upstream(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    # Every piece leaves at once.
    disable_nagle_algorithm = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port: int = self.server_address[1]
        self.pieces: list[Piece] = []
        self.received: list[dict[str, str]] = []  # the headers of each request

    def says(self, *pieces: Piece) -> None:
        self.pieces = list(pieces)


class Handler(socketserver.StreamRequestHandler):
    server: Upstream
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.rfile.readline()
        lines = iter(lambda: self.rfile.readline().strip().decode(), "")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.rfile.read(int(headers.get("content-length", "0")))
        self.server.received.append(headers)
        with suppress(ConnectionError):
            for piece in list(self.server.pieces):
                if isinstance(piece, bytes):
                    self.wfile.write(piece)
                elif isinstance(piece, threading.Event):
                    piece.wait(60)
                else:
                    time.sleep(piece)


def head(content_type: str | None = JSON, status: str = "200 OK", **more: str) -> bytes:
    """The head of an answer that ends with its connection, unless `more` says otherwise."""
    headers = {"Content-Type": content_type, "Connection": "close"}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def whole(body: bytes, content_type: str | None = JSON, **more: str) -> bytes:
    """An answer with its length."""
    return head(content_type, Content_Length=str(len(body)), **more) + body


def chunked(pieces: Iterable[Piece], content_type: str = EVENTS, **more: str) -> list[Piece]:
    """An answer in chunks, each sent by itself."""

    def chunk(piece: Piece) -> Piece:
        return b"%x\r\n%s\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece

    start = head(content_type, Transfer_Encoding="chunked", **more)
    return [start, *(chunk(piece) for piece in pieces), b"0\r\n\r\n"]


@contextmanager
def running() -> Iterator[Upstream]:
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def in_place_of_presto(server: Upstream) -> Callable[[Path], None]:
    """Edits the samples: Presto in production is this server."""

    def edit(work: Path) -> None:
        policy = work / "policies/servers/presto.yaml"
        port = policy.read_text().split("prod:")[1].split("127.0.0.1:")[1].split("/")[0]
        for path in (policy, work / "policies/guardrails.yaml"):
            path.write_text(path.read_text().replace(f":{port}", f":{server.port}"))

    return edit
