"""Certificates, the agent and the authority change while requests run, and nobody notices."""

import json
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import raw
from authority import Authority
from bad.row import META, MODERN, rpc
from conftest import LIFETIME, SHORT
from load import Call, Connection, Load
from mesh import PARTNER, WORKLOADS, Mesh, Workload
from wire import USUAL

RATE = 50.0
SECONDS = 60 if SHORT else 600


class Renewing(Connection):
    """Opened anew when its workload has a newer certificate, as a good client's is."""

    def __init__(self, port: int, workload: Workload) -> None:
        super().__init__(port, workload.tls())
        self._workload, self._shown = workload, workload.number
        self.shown = Counter[int]()

    def exchange(self, sent: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        tls: ssl.SSLContext = self._workload.tls()
        if self._shown != self._workload.number:
            self.close()
            self._tls, self._shown = tls, self._workload.number
        self.shown[self._shown] += 1
        return super().exchange(sent)


def call(token: str | None) -> Call:
    """`list_tables` of presto."""
    headers = [*USUAL, ("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call")]
    headers += [("Mcp-Name", "list_tables")]
    if token:
        headers += [("Authorization", f"Bearer {token}")]
    params = {"name": "list_tables", "arguments": {}, "_meta": META}

    def bytes_of(number: int) -> bytes:
        body = rpc("tools/call", params, id=number)
        return raw.request("POST", "/presto/mcp", headers, body)

    return bytes_of


@contextmanager
def traffic(mesh: Mesh) -> Iterator[list[Renewing]]:
    """Good calls from a surface and from a service; at the end none of them was refused."""
    port = mesh.stack.ports["mtls"]
    people = Renewing(port, mesh.workloads["ai-chat"])
    service = Renewing(port, mesh.workloads["nightly-lineage"])
    calls = [call(mesh.token("alice")), call(None)]
    load = Load(RATE, [(people, [0]), (service, [1])], calls)
    load.start()
    began = time.monotonic()
    try:
        yield [people, service]
    finally:
        noted = load.stop()
    seconds = time.monotonic() - began
    refused = [
        (one.status, one.call, one.sent, one.body[:200].decode(errors="replace"))
        for one in noted
        if one.status != 200 or "result" not in one.json()
    ]
    shown = [len(connection.shown) for connection in [people, service]]
    print(f"{len(noted)} calls in {seconds:.0f} s, {shown} certificates, {len(refused)} refused")
    assert not refused, json.dumps(refused[:5], indent=2)
    assert len(noted) > seconds * RATE / 3


def envoy_shows(mesh: Mesh) -> bytes:
    """Envoy's own certificate."""
    tls = mesh.workloads["ai-chat"].tls()
    with socket.create_connection(("127.0.0.1", mesh.stack.ports["mtls"]), 5) as plain:
        with tls.wrap_socket(plain, server_hostname="localhost") as wrapped:
            return wrapped.getpeercert(binary_form=True) or b""


def test_nobody_notices_that_certificates_are_renewed(mesh: Mesh) -> None:
    envoys = set()
    with traffic(mesh) as connections:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            envoys.add(envoy_shows(mesh))
            time.sleep(1)
        # The agent renews at half of a lifetime.
        expected = SECONDS / LIFETIME
        for connection in connections:
            assert len(connection.shown) > expected, connection.shown
        assert len(envoys) > expected


def test_nobody_notices_that_the_agent_is_killed(mesh: Mesh) -> None:
    with traffic(mesh):
        time.sleep(2)
        mesh.agent.process.kill()
        time.sleep(3)
        mesh.agent.process.start()
        # Certificates are renewed by the one that came back.
        before = envoy_shows(mesh)
        deadline = time.monotonic() + LIFETIME + 10
        while envoy_shows(mesh) == before:
            assert time.monotonic() < deadline, "Envoy got no new certificate"
            time.sleep(1)


def test_an_authority_goes_and_nobody_notices_but_whom_only_it_knew(mesh: Mesh) -> None:
    cert = mesh.server.mint(WORKLOADS["ide"], mesh.run / "kept", 3600)

    def kept() -> int:
        """What it gets, from an Envoy that is believed whoever signed for it."""
        return asks(mesh, mesh.with_cert(cert))

    old = mesh.server.signing()
    with traffic(mesh):
        new = mesh.server.prepare()
        # Whoever must believe it, does, before it signs. An Envoy whose agent was away asks it
        # again after some seconds, and for each of its secrets at another time.
        time.sleep(10)
        mesh.server.activate(new)
        time.sleep(LIFETIME + 3)  # everything else that the former one signed has run out
        assert kept() == 404
        mesh.server.withdraw(old)
        mesh.stack.processes["envoy"].wait_until(
            lambda: kept() == 0, "still believes what was withdrawn"
        )
        assert mesh.status("ai-chat") == 404
        time.sleep(3)


def test_a_partner_is_believed_by_the_bundle_that_was_exchanged_last(mesh: Mesh) -> None:
    envoy = mesh.stack.processes["envoy"]
    partner = mesh.tls_of("partner-ide")
    assert asks(mesh, partner) == 404
    other = Authority(mesh.run / "other-ca", PARTNER)
    mesh.server.ask("bundle", "set", "-id", f"spiffe://{PARTNER}", stdin=other.ca.read_text())
    envoy.wait_until(lambda: asks(mesh, partner) == 0, "still believes the former bundle")
    mesh.server.believe(mesh.partner)
    envoy.wait_until(lambda: asks(mesh, partner) == 404, "does not believe the partner")


def asks(mesh: Mesh, tls: ssl.SSLContext) -> int:
    """What a request without anything gets on a connection of its own: 0 if it gets none."""
    return raw.exchange(mesh.stack.ports["mtls"], raw.request("GET", "/"), tls).status
