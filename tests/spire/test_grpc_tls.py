"""Envoy asks Toolgate by mutual TLS, and both have their certificates from the agent."""

import re
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

import http2
import raw
from conftest import LIFETIME
from mesh import ENVOY, TOOLGATE, WORKLOADS, Mesh
from raw import Answer
from test_jwt_svids import until
from test_rotation import traffic

TLS = f"""
  tls:
    from: spire
    identity: "{TOOLGATE}"
    accept: ["{ENVOY}"]"""

NOBODY = Answer(0, [], b"")


def restart(mesh: Mesh, listen: str) -> None:
    """Toolgate and Envoy, with Toolgate listening there."""
    text = mesh.stack.config.read_text()
    text = re.sub(r"  grpc: (.|\n)*?(?=  http:)", f"  grpc: {listen}\n", text)
    mesh.stack.config.write_text(text)
    with mesh.stack.stopped("envoy"), mesh.stack.stopped("toolgate"):
        mesh.stack.toolgate("envoy", "--config", "toolgate.yaml", "--out", ".", "--plain")
    mesh.wait_for_envoy()


@pytest.fixture(scope="module")
def tls(mesh: Mesh) -> Iterator[Mesh]:
    restart(mesh, f"127.0.0.1:{mesh.grpc}{TLS}")
    yield mesh
    restart(mesh, f"unix:{mesh.stack.grpc}")


def client(mesh: Mesh, cert: tuple[str, str] | None) -> ssl.SSLContext:
    mesh.workloads["ai-chat"].tls()
    context = raw.tls(mesh.workloads["ai-chat"].ca, cert)
    context.check_hostname = False  # Toolgate's certificate has a SPIFFE ID, and no other name
    return context


def check(mesh: Mesh, cert: tuple[str, str] | None) -> Answer:
    """Asks for a decision about an empty request, as Envoy asks."""
    fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "toolgate"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    return http2.exchange(mesh.grpc, fields, b"\0\0\0\0\0", client(mesh, cert))


def as_envoy(mesh: Mesh) -> tuple[str, str]:
    return mesh.server.mint(ENVOY, mesh.run / "as-envoy", 600)


def shown(mesh: Mesh) -> bytes:
    """Toolgate's certificate."""
    context = client(mesh, as_envoy(mesh))
    with socket.create_connection(("127.0.0.1", mesh.grpc), 5) as plain:
        with context.wrap_socket(plain) as wrapped:
            return wrapped.getpeercert(binary_form=True) or b""


def test_envoy_asks_with_certificates_of_the_agent(tls: Mesh) -> None:
    before = tls.stack.mark()
    assert tls.call().status == 200
    assert tls.call("presto", "get_revenue_metrics").json()["error"]["code"] == 403
    assert len(tls.stack.records(before)) == 1
    assert check(tls, as_envoy(tls)).header("grpc-status") == "0"


def test_nobody_else_may_ask(tls: Mesh) -> None:
    tls.workloads["ai-chat"].tls()
    others = {
        "nobody": None,
        "another workload": tls.workloads["ai-chat"].cert,
        "another workload, minted": tls.server.mint(WORKLOADS["ide"], tls.run / "other", 600),
        "toolgate itself": tls.server.mint(TOOLGATE, tls.run / "toolgate", 600),
        "forged by the partner": tls.partner_key.sign(ENVOY),
    }
    assert {who: check(tls, cert) for who, cert in others.items()} == dict.fromkeys(others, NOBODY)


def test_nobody_notices_that_certificates_are_renewed(tls: Mesh) -> None:
    seen = set()
    with traffic(tls):
        ends = time.monotonic() + 1.25 * LIFETIME
        while time.monotonic() < ends:
            seen.add(shown(tls))
            time.sleep(1)
    print(f"{len(seen)} certificates of Toolgate's")
    assert len(seen) > 2


def test_without_a_certificate_nobody_is_answered(tls: Mesh) -> None:
    cert = as_envoy(tls)
    tls.agent.forget(tls.entries["toolgate"])
    try:
        until(tls, lambda: check(tls, cert) == NOBODY, "still shows its certificate")
        assert tls.stack.admin("/readyz")[0] == 503
    finally:
        tls.admit_toolgate()
    until(tls, lambda: check(tls, cert) != NOBODY, "does not come back")
    until(tls, lambda: tls.call().status == 200, "Envoy does not come back")
