"""Cores, and what processes take of them."""

import os
import subprocess
from pathlib import Path


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def pinned(core: int | None, command: list[str]) -> list[str]:
    """The command on the first core or the second; anywhere for None, and where there is one."""
    found = cores()
    if core is None or len(found) < 2:
        return command
    return ["taskset", "-c", str(found[core]), *command]


def busy(pid: int) -> float:
    """CPU seconds of all threads that a process has now."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue
    return total / 1e9


def resident(pid: int) -> int:
    """Bytes in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def described() -> str:
    """The machine in a line, with what disturbs a measurement."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    pinning = "servers on one, load on another" if len(cores()) > 1 else "NOTHING IS PINNED"
    release = os.uname().release
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    load = os.getloadavg()[0]
    return (
        f"{model}, {len(cores())} cores ({pinning}), Linux {release}, "
        f"load average {load:.1f} before, commit {commit or '?'}"
    )
