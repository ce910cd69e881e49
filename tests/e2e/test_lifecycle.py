"""Starting, being asked how it goes, restarting and stopping: in any order, and without anybody
who calls having to know."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import http2
import raw
from bad.row import META, MODERN, rpc
from directory import broken, files_of, in_place
from load import Connection, Load
from stack import Stack, listens
from story import LAPTOP
from test_reload import BROKEN, logged
from wire import USUAL, Wire
from workspace import REPOSITORY

SERVING, NOT_SERVING = 1, 2  # grpc.health.v1.HealthCheckResponse.ServingStatus
RESTARTS = 5
# For so many seconds Envoy asks again.
ENVOY_RETRIES = 2.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """With a Toolgate that has faults when it is asked to, and a clock that can be moved."""
    build = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--quiet"]
    build += ["--features", "faults", "--example", "toolgate_faults"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    work = REPOSITORY / "target/e2e/lifecycle"
    clock = {"TOOLGATE_FAULT_CLOCK": str(work / "run/clock")}
    faulty = "examples/toolgate_faults"
    with Stack(work, toolgate=faulty, environment=clock) as running:
        yield running


@pytest.fixture(scope="module")
def wire(stack: Stack) -> Wire:
    return Wire(stack)


def health(stack: Stack) -> int:
    """What the gRPC health service says of the whole."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check")]
    fields += [(":authority", "toolgate"), ("content-type", "application/grpc"), ("te", "trailers")]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(stack.grpc))
        answer = http2.on(connection, fields, bytes(5))  # an empty message
    assert dict(answer.headers)["grpc-status"] == "0", answer
    # Five bytes of gRPC, the field's tag, its value.
    assert len(answer.body) == 7 and answer.body[5] == 8, answer
    return answer.body[6]


def probe(stack: Stack, *arguments: str) -> int:
    return stack.attempt("toolgate", "probe", "--config", "toolgate.yaml", *arguments).returncode


def test_the_order_of_starting_does_not_matter(wire: Wire) -> None:
    stack = wire.stack
    toolgate, envoy = stack.processes["toolgate"], stack.processes["envoy"]
    keys = stack.run / "identity/jwks.json"
    token = wire.token("alice")
    envoy.stop()
    toolgate.stop()
    keys.rename(keys.with_suffix(".away"))

    envoy.start()
    assert probe(stack) == 2 and probe(stack, "--live") == 2
    assert wire.call(token=token).status == 503

    toolgate.start(ready=stack.grpc.is_socket)
    toolgate.wait_until(lambda: probe(stack, "--live") == 0, "is not alive")
    assert probe(stack) == 1 and health(stack) == NOT_SERVING
    assert stack.admin("/readyz")[0] == 503
    answer = wire.call(token=token)
    assert answer.status == 503 and answer.json()["error"] == "unavailable"

    keys.with_suffix(".away").rename(keys)
    toolgate.wait_until(lambda: probe(stack) == 0, "did not become ready")
    toolgate.wait_until(lambda: health(stack) == SERVING, "does not say so by gRPC")
    assert wire.call(token=token).status == 200


def test_a_restart_costs_nobody_an_answer(wire: Wire) -> None:
    stack = wire.stack
    headers = [*USUAL, ("Authorization", f"Bearer {wire.token('alice')}")]
    headers += [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call")]
    headers += [("Mcp-Name", "list_tables")]
    params = {"name": "list_tables", "_meta": META}

    def call(number: int) -> bytes:
        body = rpc("tools/call", params, id=number)
        return raw.request("POST", "/presto/mcp", headers, body)

    tls = raw.tls(stack.ca, stack.cert("ai-chat"))
    # More connections than the retries that Envoy allows at a time unless it is told otherwise.
    lanes = [(Connection(stack.ports["mtls"], tls), [0]) for _ in range(12)]
    load = Load(200, lanes, [call])
    load.start()
    slow = []
    for _ in range(RESTARTS):
        began = time.time()
        with stack.stopped("toolgate"):
            pass
        if time.time() - began > ENVOY_RETRIES / 2:
            # A machine this busy says nothing about what a restart costs on another one.
            slow.append((began - 1, time.time() + ENVOY_RETRIES))
        before = load.count()
        stack.processes["toolgate"].wait_until(lambda: load.count() > before + 50, "is not asked")
    told = [
        noted
        for noted in load.stop()
        if not any(start < noted.sent < end for start, end in slow)
    ]
    assert len(slow) < RESTARTS, "every restart took too long to tell"
    assert {noted.status for noted in told} == {200}


def test_stopping_answers_what_is_in_flight_and_takes_nothing_new(wire: Wire) -> None:
    stack, toolgate = wire.stack, wire.stack.processes["toolgate"]
    before, seen = stack.mark(), len(logged(stack))

    def said(words: str) -> bool:
        return any(words in str(entry.get("message")) for entry in logged(stack)[seen:])

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(wire.call, headers=[("X-Fault", "hesitate")])
        toolgate.wait_until(lambda: said("hesitating"), "was not asked")
        toolgate.tell(signal.SIGTERM)
        toolgate.wait_until(lambda: said("stopping"), "does not stop")
        status, text = stack.admin("/readyz")
        assert status == 503 and "stopping" in text
        assert wire.call("knowledge", "search").status == 503
        assert slow.result().status == 200
    assert toolgate.wait() == 0
    assert not stack.grpc.exists()
    (record,) = stack.records(before)
    assert stack.decision(record.header("x-toolgate-decision-id")[0])["verdict"] == "allow"
    toolgate.start()
    assert wire.call().status == 200


def test_a_service_manager_is_told(stack: Stack) -> None:
    toolgate, path = stack.processes["toolgate"], stack.run / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)

        def told() -> list[str]:
            return manager.recv(4096).decode().splitlines()

        toolgate.stop()
        toolgate.environment["NOTIFY_SOCKET"] = str(path)
        try:
            toolgate.start()
            assert told() == ["READY=1"]
            toolgate.tell(signal.SIGHUP)
            reloading = told()
            assert reloading[0] == "RELOADING=1", reloading
            assert reloading[1].startswith("MONOTONIC_USEC="), reloading
            assert told() == ["READY=1"]
            assert toolgate.stop() == 0
            assert told() == ["STOPPING=1"]
        finally:
            del toolgate.environment["NOTIFY_SOCKET"]
            toolgate.stop()
            toolgate.start()


def test_a_check_lists_what_is_wrong_with_configuration_and_policies(stack: Stack) -> None:
    def check(config: str) -> "subprocess.CompletedProcess[str]":
        return stack.attempt("toolgate", "serve", "--check", "--config", config)

    good = check("toolgate.yaml")
    assert good.returncode == 0 and "ok: 5 servers" in good.stdout
    other = stack.work / "bad-policies"
    other.mkdir()
    in_place(other, broken(files_of(stack.work / "policies")))
    text = stack.config.read_text().replace("policies: ../policies", "policies: ../bad-policies")
    (stack.config.parent / "bad.yaml").write_text(f"{text}\ncolour: red\n")
    bad = check("bad.yaml")
    assert bad.returncode == 2
    assert "colour" in bad.stderr and BROKEN in bad.stderr
    # What can be read but not served.
    missing = stack.config.read_text().replace(
        "stdout: {}", "file: { path: ../nowhere/decisions.jsonl }\n  arguments_key: ../run/no.key"
    )
    (stack.config.parent / "bad.yaml").write_text(missing)
    bad = check("bad.yaml")
    assert bad.returncode == 2 and "nowhere" in bad.stderr and "no.key" in bad.stderr


def test_a_clock_that_was_set_back_opens_nothing(wire: Wire) -> None:
    stack, clock = wire.stack, wire.stack.run / "clock"
    toolgate = stack.processes["toolgate"]

    def call() -> int:
        return wire.call("lab", "echo", person="erin", place=LAPTOP).status

    call()
    assert wire.call().status == 200
    clock.write_text("-7200")
    try:
        answer = wire.call("lab", "echo", person="erin", place=LAPTOP)
        assert answer.status == 401 and answer.json()["error"] == "token_invalid"
        assert wire.call().status in (401, 403)
        guardrails = stack.work / "policies/guardrails.yaml"
        good, digest = guardrails.read_text(), stack.in_force()
        guardrails.write_text(f"{good}# later\n")
        toolgate.wait_until(lambda: stack.in_force() != digest, "did not take the set")
        guardrails.write_text(good)
        toolgate.wait_until(lambda: stack.in_force() == digest, "did not take the set back")
    finally:
        clock.unlink()
    assert wire.call().status == 200
    ids = [entry["id"] for entry in stack.decisions()]
    assert ids and len(set(ids)) == len(ids)


def test_a_clock_that_was_set_forward_ends_what_ends_and_opens_nothing(wire: Wire) -> None:
    stack, clock = wire.stack, wire.stack.run / "clock"

    def service() -> int:
        return wire.call(person=None, place="nightly").status

    assert wire.call().status == service() == 200
    before = stack.mark()
    # Two hours end a token and thirty years a certificate; the last ones lead out of all time.
    hours, years, never = "7200", "946080000", ["9223372036854775807", "-9223372036854775808"]
    try:
        for moved in [hours, years, *never]:
            clock.write_text(moved)
            answer = wire.call()
            assert answer.status == 401 and answer.json()["error"] == "token_invalid", moved
            if moved != hours:
                assert service() == 401, moved
        assert stack.records(before) == []
    finally:
        clock.unlink()
    assert wire.call().status == service() == 200
