"""A copy of the sample policies and configuration to run on: with ports that are free, and with
dates that have moved along with today, so that no sample ever expires."""

import random
import re
import shutil
import socket
from datetime import date, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Where the samples listen, all on the loopback.
SAMPLE_PORTS = {
    "mtls": 8443,
    "plain": 8080,
    "toolgate": 9192,
    "identity": 7080,
    "presto": 7101,
    "spark": 7102,
    "airflow": 7103,
    "knowledge": 7104,
    "presto-staging": 7201,
    "lab": 7301,
    "spare": 7900,  # for something that a test adds
}

# The day the dates in the samples are meant to be read on.
SAMPLE_DAY = date(2026, 11, 20)
DATES = re.compile(
    r"""((?:approved|last_day|until|shadow_until|trial_until|now):\s*["']?)(\d{4}-\d\d-\d\d)"""
)


def choose_ports(*, fixed: bool) -> dict[str, int]:
    """Free ports by name; with `fixed` the samples' own, as far as they are free."""
    ports: dict[str, int] = {}
    for name, sample in SAMPLE_PORTS.items():
        port = sample if fixed else _any_port()
        while port in ports.values() or not _free(port):
            port = _any_port()
        ports[name] = port
    return ports


def copy_samples(work: Path, ports: dict[str, int], today: date) -> None:
    """Writes `work`/policies and `work`/envoy."""
    moved = {str(port): str(ports[name]) for name, port in SAMPLE_PORTS.items()}
    passed = today - SAMPLE_DAY

    def stamped(text: str) -> str:
        text = re.sub(
            r"\b127\.0\.0\.1:(\d+)\b",
            lambda found: f"127.0.0.1:{moved.get(found[1], found[1])}",
            text,
        )
        return DATES.sub(lambda found: found[1] + _later(found[2], passed), text)

    shutil.copytree(REPOSITORY / "policies", work / "policies")
    (work / "envoy").mkdir()
    shutil.copy(REPOSITORY / "envoy/toolgate.yaml", work / "envoy/toolgate.yaml")
    for path in [*work.glob("policies/**/*.yaml"), work / "envoy/toolgate.yaml"]:
        path.write_text(stamped(path.read_text()))


def _later(day: str, by: timedelta) -> str:
    return (date.fromisoformat(day) + by).isoformat()


def _any_port() -> int:
    # Below those that the system hands out to connections that come and go.
    return random.randrange(20000, 32000)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
