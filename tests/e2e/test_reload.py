"""Policies that change while they are served: what is bad is reported and not taken, what is to be
stopped is stopped all the same, and nothing that happens to the machine loses what was good."""

import json
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from directory import broken, edited, files_of, in_place
from stack import Stack
from wire import Wire
from workspace import REPOSITORY

# Where `broken` breaks the samples.
PRESTO = (REPOSITORY / "policies/servers/presto.yaml").read_text()
BROKEN = f"servers/presto.yaml:{PRESTO[: PRESTO.index('effect: read')].count(chr(10)) + 1}"
BAD_SETS = 'toolgate_policy_reloads_total{result="bad"}'
MANY = 100  # more connections than there are file descriptors


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(REPOSITORY / "target/e2e/reload") as running:
        yield running


@pytest.fixture
def wire(stack: Stack) -> Iterator[Wire]:
    """To a stack whose policies are mended afterwards."""
    root = stack.work / "policies"
    good, digest = files_of(root), stack.in_force()
    yield Wire(stack)
    in_place(root, good)
    wait_until(stack, "ready")
    assert stack.in_force() == digest


def wait_until(stack: Stack, word: str) -> str:
    """Until `/readyz` begins with a word; the whole of it."""

    def reached() -> bool:
        return stack.admin("/readyz")[1].startswith(f"{word}\n")

    stack.processes["toolgate"].wait_until(reached, f"did not become {word}")
    return stack.admin("/readyz")[1]


def logged(stack: Stack) -> list[dict[str, object]]:
    lines = (stack.run / "toolgate.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_bad_set_is_reported_everywhere_until_it_is_mended(wire: Wire) -> None:
    stack, root = wire.stack, wire.stack.work / "policies"
    digest, good = stack.in_force(), files_of(root)
    assert stack.attempt("toolgate", "status", "--config", "toolgate.yaml").returncode == 0
    in_place(root, broken(good))
    told = wait_until(stack, "degraded")
    assert stack.admin("/readyz")[0] == 200 and "stays in force" in told
    status = stack.attempt("toolgate", "status", "--config", "toolgate.yaml")
    assert status.returncode == 1 and BROKEN in status.stdout and "reed" in status.stdout
    assert stack.attempt("toolgate", "probe", "--config", "toolgate.yaml").returncode == 0
    assert stack.metrics()["toolgate_policy_problems"] >= 1
    entries = [entry for entry in logged(stack) if "bad policies" in str(entry.get("message"))]
    assert BROKEN in str(entries[-1]["text"])
    assert stack.in_force() == digest and wire.call().status == 200

    in_place(root, good)
    wait_until(stack, "ready")
    assert stack.metrics()["toolgate_policy_problems"] == 0
    assert stack.attempt("toolgate", "status", "--config", "toolgate.yaml").returncode == 0


def test_the_kill_switch_works_while_another_file_is_broken(wire: Wire) -> None:
    stack, root = wire.stack, wire.stack.work / "policies"
    good = files_of(root)
    spark = edited(good, "servers/spark.yaml", "effect: read", "effect: reed")
    in_place(root, spark)
    wait_until(stack, "degraded")
    assert wire.call().status == 200
    pulled = edited(spark, "guardrails.yaml", "  # incident-4711:", "  incident-4711:")
    in_place(root, pulled)
    since = time.monotonic()
    stack.processes["toolgate"].wait_until(lambda: wire.call().status == 403, "did not stop presto")
    assert time.monotonic() - since < 2
    assert wire.call().json()["error"] == "banned"
    assert stack.metrics()["toolgate_policy_bans_of_bad_sets"] == 1

    # What a bad set banned, no other bad set frees.
    before = stack.metrics()[BAD_SETS]
    in_place(root, spark)
    stack.processes["toolgate"].wait_until(
        lambda: stack.metrics()[BAD_SETS] > before, "did not look again"
    )
    assert wire.call().status == 403
    in_place(root, good)
    wait_until(stack, "ready")
    assert wire.call().status == 200


def test_a_hangup_reads_and_reports_everything_again(wire: Wire) -> None:
    stack, root = wire.stack, wire.stack.work / "policies"
    in_place(root, broken(files_of(root)))
    wait_until(stack, "degraded")
    before = stack.metrics()[BAD_SETS]
    stack.processes["toolgate"].tell(signal.SIGHUP)
    stack.processes["toolgate"].wait_until(
        lambda: stack.metrics()[BAD_SETS] == before + 1, "did not read again"
    )
    assert wire.call().status == 200


def test_a_directory_that_is_gone_loses_nothing(wire: Wire) -> None:
    stack, root = wire.stack, wire.stack.work / "policies"
    digest = stack.in_force()
    root.rename(stack.work / "elsewhere")
    try:
        wait_until(stack, "degraded")
        status = stack.attempt("toolgate", "status", "--config", "toolgate.yaml")
        assert status.returncode == 1 and "cannot be read" in status.stdout
        assert stack.in_force() == digest and wire.call().status == 200
    finally:
        (stack.work / "elsewhere").rename(root)
    wait_until(stack, "ready")


def test_without_file_descriptors_what_is_there_goes_on(wire: Wire) -> None:
    stack, root = wire.stack, wire.stack.work / "policies"
    toolgate, digest = stack.processes["toolgate"], stack.in_force()
    good = files_of(root)
    for _ in range(20):  # so that each of Envoy's threads has its connection
        assert wire.call().status == 200
    limits = resource.prlimit(toolgate.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(toolgate.pid, resource.RLIMIT_NOFILE, (MANY, limits[1]))
    seen = len(logged(stack))

    def complained(words: str) -> bool:
        return any(words in json.dumps(entry) for entry in logged(stack)[seen:])

    with ExitStack() as held:
        for _ in range(MANY):
            connection = held.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(stack.grpc))
        toolgate.wait_until(lambda: complained("could not be taken in"), "has descriptors left")
        # Now it cannot even look.
        in_place(root, edited(good, "guardrails.yaml", "  # incident-4711:", "  incident-4711:"))
        toolgate.wait_until(lambda: complained("bad policies"), "did not look")
        assert complained("Too many open files")
        for _ in range(20):
            assert wire.call().status == 200
        in_place(root, good)
    resource.prlimit(toolgate.pid, resource.RLIMIT_NOFILE, limits)
    wait_until(stack, "ready")
    assert stack.in_force() == digest and wire.call().status == 200
