"""Calls through a real Envoy at a steady rate for a long time, with release builds, and a look at
what Toolgate holds meanwhile: memory, file descriptors, threads. Nothing of that may grow.

    make soak           ten minutes at 1,000 calls a second
    make soak SHORT=1   about 40 seconds, for CI
"""

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ["TOOLGATE_PROFILE"] = "release"
sys.path[:0] = [str(REPOSITORY / "examples/demo"), str(REPOSITORY / "tests/e2e")]

import raw  # noqa: E402
from bad.row import META, MODERN, rpc  # noqa: E402
from load import Call, Connection, Load  # noqa: E402
from stack import Stack  # noqa: E402
from wire import USUAL  # noqa: E402

RATE = 1000.0  # calls a second, as far as the machine gives that
CONNECTIONS = 8
MAX_IDLE = 25.0  # megabytes, with the samples loaded
MAX_GROWTH = 1.5  # megabytes, from the first third to the last: what an allocator does anyway

# Who calls what: most is let through, some is refused.
CALLS = [("alice", "list_tables"), ("bob", "list_tables"), ("erin", "list_tables")]


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment."""

    resident: float  # megabytes
    descriptors: int
    threads: int

    @staticmethod
    def of(pid: int) -> "Sample":
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        resident = int(fields["VmRSS"].split()[0]) / 1024
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return Sample(resident, descriptors, int(fields["Threads"]))


def call(stack: Stack, person: str, tool: str) -> Call:
    token = stack.sign_in(person, ttl=3600)
    headers = [*USUAL, ("Authorization", f"Bearer {token}"), ("MCP-Protocol-Version", MODERN)]
    headers += [("Mcp-Method", "tools/call"), ("Mcp-Name", tool)]
    params = {"name": tool, "arguments": {}, "_meta": META}
    return lambda number: raw.request(
        "POST", "/presto/mcp", headers, rpc("tools/call", params, id=number)
    )


def main() -> None:
    short = bool(os.environ.get("SHORT"))
    warm_up, seconds = (8.0, 30.0) if short else (60.0, 600.0)
    # As in production, the log is a file, and it is rotated.
    with Stack(REPOSITORY / "target/soak", edit=record_to_a_file) as stack:
        pid = stack.processes["toolgate"].pid
        tls = raw.tls(stack.ca, stack.cert("ai-chat"))
        calls = [call(stack, *who) for who in CALLS]
        turns = list(range(len(CALLS)))
        lanes = [(Connection(stack.ports["mtls"], tls), turns) for _ in range(CONNECTIONS)]
        few = Load(20, lanes[:1], calls)
        few.start()
        time.sleep(1)
        few.stop()
        idle = Sample.of(pid)
        load = Load(RATE, lanes, calls)
        began = time.monotonic()
        load.start()
        time.sleep(warm_up)
        samples = []
        while time.monotonic() - began < warm_up + seconds:
            samples.append(Sample.of(pid))
            time.sleep(1)
        took = time.monotonic() - began
        noted = load.stop()
    report(idle, samples, Counter(one.status for one in noted), len(noted) / took)


def record_to_a_file(work: Path) -> None:
    config = work / "envoy/toolgate.yaml"
    sink = "file: { path: ../run/decisions.jsonl, max_megabytes: 10, keep: 2 }"
    config.write_text(config.read_text().replace("stdout: {}", sink))


def report(idle: Sample, samples: list[Sample], statuses: Counter[int], rate: float) -> None:
    third = len(samples) // 3
    parts = {"idle": [idle], "first third": samples[:third], "last third": samples[-third:]}
    print(f"{'':<12}{'RSS (MB)':>10}{'fds':>6}{'threads':>9}")
    medians = {}
    for name, part in parts.items():
        resident = median(sample.resident for sample in part)
        descriptors = median(sample.descriptors for sample in part)
        threads = median(sample.threads for sample in part)
        medians[name] = (resident, descriptors, threads)
        print(f"{name:<12}{resident:>10.1f}{descriptors:>6.0f}{threads:>9.0f}")
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    print(f"{sum(statuses.values())} calls, {rate:.0f} a second: {answers}")

    first, last = medians["first third"], medians["last third"]
    problems = []
    if idle.resident >= MAX_IDLE:
        problems.append(f"idle, it holds {idle.resident:.1f} MB, not less than {MAX_IDLE:.0f}")
    if last[0] - first[0] > MAX_GROWTH:
        problems.append(f"its memory has grown by {last[0] - first[0]:.1f} MB")
    if last[1] > first[1]:
        problems.append(f"it has {last[1] - first[1]:.0f} more file descriptors open")
    if last[2] > first[2]:
        problems.append(f"it has {last[2] - first[2]:.0f} more threads")
    if set(statuses) != {200}:  # refused calls of tools are answered with 200, too
        problems.append("not every call was answered as it should")
    if problems:
        sys.exit("error: " + "\nerror: ".join(problems))


if __name__ == "__main__":
    main()
