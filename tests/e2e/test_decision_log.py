"""Every decision is accounted for: written, or counted as dropped, or its request refused."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack import Stack
from wire import Wire
from workspace import REPOSITORY

CALLS = 400  # many times what a pipe and a short queue hold


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/decision_log") as stack:
        yield Wire(stack)


@contextmanager
def recording(wire: Wire, sink: str, when_full: str, stdout: Path | None = None) -> Iterator[None]:
    """With a Toolgate that records its decisions otherwise."""
    stack, good = wire.stack, wire.stack.config.read_text()
    toolgate = stack.processes["toolgate"]
    text = good.replace("stdout: {}", sink)
    text = text.replace("when_full: drop", f"queue: 16\n  when_full: {when_full}")
    stack.config.write_text(text)
    try:
        toolgate.stop()
        toolgate.stdout = stdout
        toolgate.start()
        yield
    finally:
        toolgate.stdout = None
        stack.config.write_text(good)
        with stack.stopped("toolgate"):
            pass


class Pipe:
    """What Toolgate writes to, and nobody reads until somebody does."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self.path, self._text = path, b""
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._read_all, daemon=True)

    def read(self) -> None:
        """From now on everything is read at once."""
        os.set_blocking(self._end, True)
        self._thread.start()

    def ids(self) -> list[str]:
        """Every record that was read, once the other end is closed."""
        self._thread.join()
        os.close(self._end)
        return [json.loads(line)["id"] for line in self._text.splitlines()]

    def _read_all(self) -> None:
        while data := os.read(self._end, 65536):
            self._text += data


@pytest.fixture
def pipe(tmp_path: Path) -> Pipe:
    return Pipe(tmp_path / "stdout")


def records(stack: Stack, outcome: str, sink: str = "stdout") -> int:
    name = f'toolgate_decision_log_records_total{{sink="{sink}",outcome="{outcome}"}}'
    return int(stack.metrics()[name])


def wait_for(wire: Wire, reached: Callable[[], bool]) -> None:
    wire.stack.processes["toolgate"].wait_until(reached, "did not get there")


def test_dropped_records_are_counted_to_the_last_one(wire: Wire, pipe: Pipe) -> None:
    stack = wire.stack
    with recording(wire, "stdout: {}", "drop", pipe.path):
        assert [wire.call().status for _ in range(CALLS)] == [200] * CALLS
        assert records(stack, "dropped") > 0
        assert "decisions to stdout" in stack.admin("/readyz")[1]
        pipe.read()
        wait_for(wire, lambda: records(stack, "written") + records(stack, "dropped") == CALLS)
        dropped = records(stack, "dropped")
    ids = pipe.ids()
    assert len(set(ids)) == len(ids) == CALLS - dropped


def test_under_deny_nothing_passes_unrecorded(wire: Wire, pipe: Pipe) -> None:
    stack, before = wire.stack, wire.stack.mark()
    with recording(wire, "stdout: {}", "deny", pipe.path):
        answers = [wire.call() for _ in range(CALLS)]
        refused = [answer for answer in answers if answer.status == 503]
        assert refused and answers[0].status == 200 and answers[-1].status == 503
        assert refused[0].json()["error"] == "unavailable"
        assert records(stack, "denied") == len(refused) and records(stack, "dropped") == 0
        pipe.read()
        wait_for(wire, lambda: records(stack, "written") == CALLS - len(refused))
        assert wire.call().status == 200
    passed = [record.header("x-toolgate-decision-id")[0] for record in stack.records(before)]
    assert len(passed) == CALLS - len(refused) + 1
    assert sorted(pipe.ids()) == sorted(passed)


def test_a_server_whose_audit_is_required_is_refused_before_a_record_is_lost(
    wire: Wire, pipe: Pipe
) -> None:
    stack = wire.stack
    presto = stack.work / "policies/servers/presto.yaml"
    good = presto.read_text()
    presto.write_text(good.replace("server: presto\n", "server: presto\naudit: required\n"))
    try:
        with recording(wire, "stdout: {}", "drop", pipe.path):
            for _ in range(CALLS):
                assert wire.call("knowledge", "search").status == 200
            assert records(stack, "dropped") > 0
            before = stack.mark()
            assert wire.call().status == 503 and stack.records(before) == []
            assert wire.call("knowledge", "search").status == 200
            assert records(stack, "denied") == 1
            pipe.read()
            wait_for(wire, lambda: wire.call().status == 200)
        presto_only = [record for record in stack.records(before) if record.server == "presto"]
        passed = [record.header("x-toolgate-decision-id")[0] for record in presto_only]
        assert passed and set(passed) <= set(pipe.ids())
    finally:
        presto.write_text(good)


def ids_in(*paths: Path) -> list[str]:
    return [json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()]


def test_a_full_disk_fills_the_queue_and_is_written_to_again(wire: Wire) -> None:
    stack, link = wire.stack, wire.stack.run / "full.jsonl"
    link.symlink_to("/dev/full")
    with recording(wire, "file: { path: ../run/full.jsonl }", "drop"):
        assert [wire.call().status for _ in range(100)] == [200] * 100
        state = stack.admin("/readyz")
        assert state[0] == 200 and state[1].startswith("degraded\n")
        assert "No space left" in state[1]
        assert stack.metrics()['toolgate_decision_log_failing{sink="file"}'] == 1
        dropped = records(stack, "dropped", "file")
        assert 0 < dropped < 100 and records(stack, "written", "file") == 0
        link.unlink()  # as good as room
        wait_for(wire, lambda: records(stack, "written", "file") == 100 - dropped)
        assert stack.admin("/readyz")[1].startswith("ready\n")
    assert len(set(ids_in(link))) == 100 - dropped


def test_a_log_that_is_moved_or_removed_is_begun_anew(wire: Wire) -> None:
    stack = wire.stack
    log, moved = stack.run / "moved.jsonl", stack.run / "moved.jsonl.old"

    def calls() -> None:
        written = records(stack, "written", "file")
        assert [wire.call().status for _ in range(10)] == [200] * 10
        wait_for(wire, lambda: records(stack, "written", "file") == written + 10)

    with recording(wire, "file: { path: ../run/moved.jsonl }", "block"):
        calls()
        log.rename(moved)
        calls()
        assert len(ids_in(moved)) == len(ids_in(log)) == 10
        log.unlink()
        calls()
    assert len(ids_in(log)) == 10
