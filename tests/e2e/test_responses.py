"""What an upstream may not say: it does not speak as Toolgate, and sends nobody elsewhere."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bad.row import MODERN_CALL
from stack import Stack
from test_bad_requests import MODERN_HEADERS
from wire import Wire
from workspace import REPOSITORY

FORGED = {
    "X-Toolgate-Decision-Id": "forged",
    "X-Toolgate-Surface": "forged",
    "x-toolgate-anything": "forged",
    "X_Toolgate_Surface": "forged",
    "Location": "https://mcp.example.com/spark/mcp",
    "Set-Cookie": "sid=fixed; Path=/",
    "Alt-Svc": 'h2="evil.example:443"',
    "WWW-Authenticate": 'Bearer resource_metadata="https://evil.example/"',
}


class Upstream(BaseHTTPRequestHandler):
    """Answers everything, in the name of somebody else."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"jsonrpc":"2.0","id":1,"result":{}}'
        self.send_response(401 if self.headers["x-answer"] == "401" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Its-Own", "kept")
        for name, value in FORGED.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def forging() -> Iterator[Wire]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def edit(work: Path) -> None:
        """Presto in production is the server of this test."""
        policy = work / "policies/servers/presto.yaml"
        before = policy.read_text()
        port = before.split("prod:")[1].split("127.0.0.1:")[1].split("/")[0]
        for path in (policy, work / "policies/guardrails.yaml"):
            path.write_text(path.read_text().replace(f":{port}", f":{server.server_port}"))

    with Stack(REPOSITORY / "target/e2e/responses", edit=edit) as stack:
        yield Wire(stack)
    server.shutdown()


@pytest.mark.parametrize("status", [200, 401])
def test_an_upstream_does_not_speak_as_toolgate(forging: Wire, status: int) -> None:
    headers = [*MODERN_HEADERS, ("X-Answer", str(status))]
    answer = forging.send("/presto/mcp", MODERN_CALL, headers=headers)
    assert (answer.status, answer.header("x-its-own")) == (status, "kept")
    received = {name.lower() for name, _ in answer.headers}
    assert received & {name.lower() for name in FORGED} == set()


def test_toolgates_own_refusals_keep_their_headers(forging: Wire) -> None:
    answer = forging.send("/presto/mcp", MODERN_CALL, headers=MODERN_HEADERS, person=None)
    assert answer.status == 401
    assert answer.header("x-toolgate-decision-id") not in (None, "forged")
    assert "mcp.example.com" in str(answer.header("www-authenticate"))
