"""Toolgate that is asked over TCP answers Envoy and nobody else."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import http2
import raw
from raw import Answer
from stack import Stack, binary
from wire import Wire
from workspace import REPOSITORY

ENVOY = "spiffe://prod.example.com/ns/mcp/sa/envoy"
CERTS = "../run/certs"
OWN = f"""certificate: {CERTS}/toolgate.pem
    key: {CERTS}/toolgate.key
    identity: spiffe://prod.example.com/ns/mcp/sa/toolgate"""
TLS = f"""
  tls:
    {OWN}
    ca: {CERTS}/ca.pem
    accept: ["{ENVOY}"]"""


def listen_at(config: Path, address: str, tls: str = "") -> None:
    text = config.read_text()
    config.write_text(re.sub(r"  grpc: unix:.*", f"  grpc: {address}{tls}", text))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a stack whose Envoy asks over mutual TLS."""

    def edit(_: Path) -> None:
        listen_at(stack.config, f"127.0.0.1:{stack.ports['spare']}", TLS)

    stack = Stack(REPOSITORY / "target/e2e/tcp", edit=edit)
    with stack:
        yield Wire(stack)


@contextmanager
def changed(stack: Stack, before: str, after: str) -> Iterator[None]:
    """With a Toolgate that is configured otherwise, and an Envoy that does not know."""
    good = stack.config.read_text()
    assert before in good
    stack.config.write_text(good.replace(before, after))
    try:
        with stack.stopped("toolgate"):
            pass
        yield
    finally:
        stack.config.write_text(good)
        with stack.stopped("toolgate"):
            pass


def as_client(stack: Stack, cert: tuple[str, str] | None) -> ssl.SSLContext:
    context = raw.tls(stack.ca, cert)
    context.check_hostname = False  # Toolgate's certificate has a SPIFFE ID, and no other name
    return context


def check(stack: Stack, tls: ssl.SSLContext | None) -> Answer:
    """Asks for a decision about an empty request, as Envoy asks."""
    fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "toolgate"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    return http2.exchange(stack.ports["spare"], fields, b"\0\0\0\0\0", tls)


def test_envoy_asks_over_tls(wire: Wire) -> None:
    before = wire.stack.mark()
    assert wire.call().status == 200
    assert len(wire.stack.records(before)) == 1
    assert wire.call(name="get_revenue_metrics").json()["error"]["code"] == 403
    assert not wire.stack.grpc.exists()


def test_an_envoy_that_is_not_accepted_lets_nothing_through(wire: Wire) -> None:
    with changed(wire.stack, ENVOY, "spiffe://prod.example.com/ns/mcp/sa/other"):
        nothing_passes(wire)
    assert wire.call().status == 200


def test_another_workload_in_toolgates_place_is_not_asked(wire: Wire) -> None:
    other = OWN.replace("mcp/sa/toolgate", "ai-chat/sa/webapp").replace("toolgate", "ai-chat")
    with changed(wire.stack, OWN, other):
        nothing_passes(wire)
    assert wire.call().status == 200


def test_a_certificate_of_another_workload_is_not_ours(wire: Wire) -> None:
    config = wire.stack.config.with_name("other.yaml")
    text = wire.stack.config.read_text()
    config.write_text(text.replace(f"{CERTS}/toolgate.", f"{CERTS}/ai-chat."))
    ended = wire.stack.attempt("toolgate", "serve", "--check", "--config", config.name)
    assert ended.returncode == 2, ended.stderr
    assert "ai-chat.pem: the certificate is that of spiffe://" in ended.stderr + ended.stdout


def nothing_passes(wire: Wire) -> None:
    before = wire.stack.mark()
    for _ in range(2):
        assert wire.call().status == 503
    assert wire.stack.records(before) == []


def test_envoys_certificate_is_answered(wire: Wire) -> None:
    answer = check(wire.stack, as_client(wire.stack, wire.stack.cert("envoy")))
    assert (answer.status, answer.header("grpc-status")) == (200, "0")
    # An empty request is not how Envoy asks, and so the answer is a refusal.
    assert b'"unavailable"' in answer.body


@pytest.mark.parametrize("workload", ["ai-chat", "toolgate", "stranger", "two-ids"])
def test_another_workloads_certificate_is_not_answered(wire: Wire, workload: str) -> None:
    assert check(wire.stack, as_client(wire.stack, wire.stack.cert(workload))) == Answer(0, [], b"")


def test_who_has_no_certificate_of_this_mesh_is_not_answered(wire: Wire, stack: Stack) -> None:
    foreign = stack.cert("envoy")  # the same SPIFFE ID, from another authority
    for tls in [as_client(wire.stack, None), as_client(wire.stack, foreign), None]:
        assert check(wire.stack, tls) == Answer(0, [], b"")
    assert wire.call().status == 200


def test_a_certificate_that_is_replaced_is_taken_up(wire: Wire) -> None:
    """By connections from then on; one that cannot be read is not taken."""
    stack = wire.stack
    tls = as_client(stack, stack.cert("envoy"))
    certs = stack.run / "certs"

    def shown() -> bytes:
        with socket.create_connection(("127.0.0.1", stack.ports["spare"]), 5) as plain:
            with tls.wrap_socket(plain) as wrapped:
                return wrapped.getpeercert(binary_form=True) or b""

    def own() -> dict[str, str]:
        (part,) = [part for part in stack.status()["parts"] if part["part"] == "own certificate"]
        return dict(part)

    former, toolgate = shown(), stack.processes["toolgate"]
    kept = {name: (certs / name).read_bytes() for name in ["toolgate.pem", "toolgate.key"]}
    (certs / "toolgate.pem").write_text("nonsense")
    toolgate.wait_until(lambda: own()["state"] == "degraded", "does not say that it cannot read it")
    assert shown() == former and wire.call().status == 200
    other = stack.run / "other-certs"
    stack.identity("pki", "--dir", str(other))
    # The same name from another authority: who asks here does not look at who signed it.
    for name in kept:
        (certs / name).write_bytes((other / name).read_bytes())
    tls.verify_mode = ssl.CERT_NONE
    toolgate.wait_until(lambda: shown() != former, "goes on with the former certificate")
    for name, content in kept.items():
        (certs / name).write_bytes(content)
    toolgate.wait_until(lambda: shown() == former, "does not come back to it")
    assert own()["state"] == "ok" and wire.call().status == 200


def test_off_the_loopback_there_is_no_listener_without_tls(wire: Wire) -> None:
    stack = wire.stack
    config = stack.config.with_name("open.yaml")
    config.write_text((REPOSITORY / "envoy/toolgate.yaml").read_text())
    listen_at(config, f"0.0.0.0:{stack.ports['spare']}")
    ended = subprocess.run(
        [binary("toolgate"), "serve", "--config", config.name],
        cwd=config.parent,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert ended.returncode == 2
    assert "a listener off the loopback would answer anybody" in ended.stderr
    assert "listen.tls" in ended.stderr
