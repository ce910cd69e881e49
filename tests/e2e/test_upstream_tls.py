"""Behind Envoy, who answers is who the policy names: a server on `https` proves its identity, and
sees Envoy's."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stack import Stack
from wire import Wire
from workspace import REPOSITORY

# Whom the policy names; `short` has the same identity, and a certificate that has run out.
IDENTITY = "spiffe://prod.example.com/ns/ai-chat/sa/webapp"
ENVOY = "spiffe://prod.example.com/ns/mcp/sa/envoy"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a stack whose `knowledge` is on `https`."""

    def edit(work: Path) -> None:
        sample, ours = (f"127.0.0.1:{stack.ports[name]}" for name in ["knowledge", "spare"])
        server = work / "policies/servers/knowledge.yaml"
        https = f'"https://{ours}/mcp", upstream_identity: "{IDENTITY}"'
        server.write_text(server.read_text().replace(f'"http://{sample}/mcp"', https))
        guardrails = work / "policies/guardrails.yaml"
        guardrails.write_text(guardrails.read_text().replace(sample, ours))

    stack = Stack(REPOSITORY / "target/e2e/upstream-tls", edit=edit, short_seconds=0)
    with stack:
        yield Wire(stack)


@dataclass
class Upstream:
    """An MCP server, as far as one call needs one."""

    port: int
    tls: ssl.SSLContext | None
    peers: list[dict[str, Any]] = field(default_factory=list)  # who asked: certificates
    requests: list[dict[str, str]] = field(default_factory=list)  # what arrived: headers
    connections: int = 0

    @contextmanager
    def running(self) -> Iterator["Upstream"]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                call = json.loads(self.rfile.read(length))
                upstream.requests.append(dict(self.headers))
                if isinstance(self.connection, ssl.SSLSocket):
                    upstream.peers.append(self.connection.getpeercert() or {})
                result = {"content": [], "isError": False}
                answer = {"jsonrpc": "2.0", "id": call["id"], "result": result}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                upstream.connections += 1
                if upstream.tls:
                    connection.settimeout(5)
                    # What goes wrong in a handshake is an OSError, and ends nothing but itself.
                    connection = upstream.tls.wrap_socket(connection, server_side=True)
                return connection, address

        server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def server_tls(ca: str, cert: tuple[str, str]) -> ssl.SSLContext:
    """What a server speaks that wants to know its client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*cert)
    return context


def test_a_server_with_the_right_identity_is_reached(wire: Wire) -> None:
    stack = wire.stack
    tls = server_tls(stack.ca, stack.cert("ai-chat"))
    with Upstream(stack.ports["spare"], tls).running() as upstream:
        answer = wire.call("knowledge", "search")
    assert answer.status == 200 and "result" in answer.json()
    ((peer,), (headers,)) = (upstream.peers, upstream.requests)
    assert ("URI", ENVOY) in peer["subjectAltName"]
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["x-forwarded-user"] == "alice" and "authorization" not in headers


@pytest.mark.parametrize("name", ["ide", "stranger", "envoy", "short"])
def test_a_server_with_another_identity_receives_nothing(wire: Wire, name: str) -> None:
    stack = wire.stack
    check_nothing_arrives(wire, server_tls(stack.ca, stack.cert(name)))


def test_a_server_that_no_authority_vouches_for_receives_nothing(wire: Wire, stack: Stack) -> None:
    # The same SPIFFE ID, from a mesh that this one does not trust.
    check_nothing_arrives(wire, server_tls(wire.stack.ca, stack.cert("ai-chat")))


def test_a_server_without_tls_receives_nothing(wire: Wire) -> None:
    check_nothing_arrives(wire, None)


def check_nothing_arrives(wire: Wire, tls: ssl.SSLContext | None) -> None:
    with Upstream(wire.stack.ports["spare"], tls).running() as upstream:
        for _ in range(2):
            answer = wire.call("knowledge", "search")
            assert answer.status == 503
            assert answer.header("x-toolgate-decision-id") is None, "this is not a refusal"
    assert upstream.connections > 0, "Envoy went elsewhere"
    assert upstream.requests == []
    assert wire.stack.records() == []
