"""Rows that are measured in turns, and what comes of them."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from edge_stand import machine
from edge_stand.servers import RELEASE
from process import ProcessError

Result = dict[str, Any]

ALLOWED: dict[str, Any] = {"code": 0, "status": 200}
BY_TOOLGATE = {**ALLOWED, "header": "x-forwarded-user"}
# Refused in JSON-RPC, as `refusal: error` says.
REFUSED: dict[str, Any] = {"code": 7, "status": 200}
PROXIED: dict[str, Any] = {"status": 200, "body": "{"}

# What the load generator says of an answer that was to be an allowed one.
REFUSAL = r"code Some\(7\); expected Some\(0\)|HTTP status 40[13]; expected 200"

# As `toolgate envoy` has Envoy ask.
METADATA = {"toolgate-answers": "1"}


@dataclass(frozen=True)
class Row:
    """What is asked for, of whom, and whose CPU time counts; the authorizer's is the last."""

    name: str
    target: str
    requests: Sequence[Path]
    pids: Sequence[int]
    expect: dict[str, Any]
    connections: int = 2
    streams: int = 16
    rate: float | None = None
    protocol: str = "grpc"
    core: int | None = 1  # that the load comes from


@dataclass(frozen=True)
class Timing:
    rounds: int
    seconds: float
    warmup: float


def load(row: Row, seconds: float, warmup: float) -> Result:
    """One run of the load generator. Any answer but the expected one ends everything."""
    done = attempt(row, seconds, warmup)
    if done.returncode != 0:
        raise ProcessError(f"{row.name}: {done.stderr.strip() or done.stdout.strip()}")
    result: Result = json.loads(done.stdout)
    return result


def must_refuse(row: Row) -> None:
    """Ends everything unless the request of this row is refused: what lets everything through is
    compared with nobody."""
    done = attempt(row, 0.05, 0.0)
    if done.returncode == 0 or not re.search(REFUSAL, done.stderr):
        said = done.stderr.strip() or done.stdout.strip()
        raise ProcessError(f"{row.name} does not refuse: {said}")


def attempt(row: Row, seconds: float, warmup: float) -> "subprocess.CompletedProcess[str]":
    command = machine.pinned(row.core, [str(RELEASE / "examples/bench_load")])
    asked = json.dumps(plan(row, seconds, warmup))
    return subprocess.run(command, input=asked, capture_output=True, text=True, check=False)


def plan(row: Row, seconds: float, warmup: float) -> dict[str, Any]:
    return {
        "protocol": row.protocol,
        "target": row.target,
        "connections": row.connections,
        "streams": row.streams,
        "seconds": seconds,
        "warmup": warmup,
        "rate": row.rate,
        "pids": list(row.pids),
        "requests": [str(path) for path in row.requests],
        "metadata": METADATA if row.protocol == "grpc" else {},
        "expect": row.expect,
    }


@dataclass
class Group:
    """Rows of one kind of load; the first is what the others are compared with."""

    title: str
    rows: list[Row] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # rows that cannot be, and why
    refusals: list[Row] = field(default_factory=list)  # requests that must be refused
    notes: list[str] = field(default_factory=list)
    results: dict[str, list[Result]] = field(default_factory=dict)

    def run(self, timing: Timing, tell: Callable[[str], None]) -> None:
        for row in self.refusals:
            must_refuse(row)
        for turn in range(timing.rounds):
            tell(f"{self.title}: round {turn + 1} of {timing.rounds}")
            # What drifts shall drift for all of them.
            for row in self.rows if turn % 2 == 0 else reversed(self.rows):
                result = load(row, timing.seconds, timing.warmup)
                self.results.setdefault(row.name, []).append(result)

    def figure(self, name: str, of: str) -> float:
        return median(value(result, of) for result in self.results[name])

    def ratio(self, name: str, base: str, of: str) -> float:
        """The median of paired rounds."""
        pairs = zip(self.results[name], self.results[base], strict=True)
        return median(value(one, of) / value(other, of) for one, other in pairs)


def value(result: Result, of: str) -> float:
    """A figure; `cpu` is of all processes of a row, `authorizer` of the last."""
    if of == "cpu":
        return float(sum(result["cpu_us"]))
    if of == "authorizer":
        return float(result["cpu_us"][-1])
    return float(result[of])
