"""Keys, certificates, tokens, and requests as an Envoy sends them, in files."""

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bad.row import META, MODERN
from edge_stand import policies, protobuf
from jose import Keys, claims, foreign, header
from stack import binary

AUDIENCE = "https://mcp.example.com"
PATH = f"/{policies.SERVER}/mcp"

# Signature algorithms of the development provider's keys.
ALGORITHMS = {"RS256": "rsa-dev", "ES256": "ec-dev", "EdDSA": "ed-dev"}

SQL = (
    "select region, sum(amount) as revenue from sales.orders where day > date '2026-10-01' "
    "group by region"
)


class Material:
    """In a directory of its own, which is empty at first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificates = directory / "certs"
        self.identity = directory / "identity"
        (directory / "requests").mkdir(parents=True)
        pki = [binary("examples/dev_identity"), "pki", "--dir", self.certificates]
        subprocess.run(pki, check=True, capture_output=True)
        token = [binary("examples/dev_identity"), "token", "--sub", "nobody"]
        # The first token makes the keys.
        subprocess.run([*token, "--keys", self.identity], check=True, capture_output=True)
        self._keys = Keys(self.identity)
        self.extensions: dict[str, str] = {}
        pem = (self.certificates / "ai-chat.pem").read_text()
        leaf = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
        # The surface's SPIFFE ID, and its certificate as Envoy hands it on.
        self._principal = (policies.CHAT, quote(leaf, safe=""))

    def rs256(self) -> dict[str, Any]:
        """The key set for the peers, which refuse a set with an algorithm that they do not know."""
        found: dict[str, Any] = json.loads((self.identity / "jwks.json").read_text())
        return {"keys": [key for key in found["keys"] if key["alg"] == "RS256"]}

    def token(self, algorithm: str = "RS256") -> str:
        """A new one each time, for somebody in twenty groups."""
        kid = ALGORITHMS[algorithm]
        return self._keys.sign(header(alg=algorithm, kid=kid), payload(), kid=kid)

    def forged(self) -> str:
        """The same, signed with a key that nobody knows."""
        return foreign(header(), payload())[0]

    def check(
        self,
        name: str,
        token: str,
        tool: str = policies.TOOL,
        *,
        raw: bool = True,
        workload: bool = True,
    ) -> Path:
        """A file with a `CheckRequest`; of a caller with a certificate, or without a workload."""
        body = call(tool)
        inner = [
            (":authority", "mcp.example.com"),
            (":path", PATH),
            (":method", "POST"),
            (":scheme", "https"),
            *((name.lower(), value) for name, value in headers(token, tool, body)),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "7a1f7f3e-6f0b-4a55-9d5b-0d1f6a3c2b10"),
        ]
        source = protobuf.peer(52114, *(self._principal if workload else ("", "")))
        request = protobuf.check_request(inner, body, self.extensions, source, raw=raw)
        return self._write(f"{name}.check", request)

    def http(self, name: str, token: str) -> Path:
        """A file with the same request as it comes to Envoy."""
        body = call(policies.TOOL)
        lines = [f"POST {PATH} HTTP/1.1", "Host: mcp.example.com"]
        lines += [f"{name}: {value}" for name, value in headers(token, policies.TOOL, body)]
        return self._write(f"{name}.http", "\r\n".join([*lines, "", ""]).encode() + body)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.directory / "requests" / name
        path.write_bytes(content)
        return path


def payload() -> dict[str, Any]:
    now = int(time.time())
    return claims(
        aud=AUDIENCE,
        sub="00u1a2b3c4d5e6f7g8h9",
        email="alice.liddell@example.com",
        jti=str(uuid.uuid4()),
        iat=now - 5,
        nbf=now - 5,
        exp=now + 7200,
        groups=policies.CALLERS_GROUPS,
    )


def call(tool: str) -> bytes:
    arguments = {"sql": SQL, "limit": 500}
    if tool != policies.TOOL:
        arguments = {"name": "orders", "value": SQL}
    params = {"name": tool, "arguments": arguments, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 42, "method": "tools/call", "params": params}
    return json.dumps(message).encode()


def headers(token: str, tool: str, body: bytes) -> list[tuple[str, str]]:
    """As a client library sends them; with those that Envoy adds, about twenty."""
    return [
        ("User-Agent", "python-httpx/0.28.1"),
        ("Accept", "application/json, text/event-stream"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Accept-Language", "en-GB,en;q=0.9"),
        ("Cache-Control", "no-cache"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Authorization", f"Bearer {token}"),
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
        ("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("Tracestate", "vendor=00f067aa0ba902b7"),
        ("X-Client-Version", "2.4.1"),
    ]
