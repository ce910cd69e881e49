"""Long runs tell a person how far they are, and a program nothing."""

import os
import pty
import re
import select
import subprocess
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLGATE = ROOT / "target/debug/toolgate"
SERVERS = 3000


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("large")
    hosts = [f'"127.0.{n // 250}.{n % 250 + 1}:7000"' for n in range(SERVERS)]
    files = {
        "surfaces.yaml": "surfaces: { chat: { workloads: ['spiffe://td/chat'], reaches: [prod] } }",
        "groups.yaml": "groups: { a: {} }",
        "guardrails.yaml": "environments:\n  prod: { reviews: [], upstreams: [%s] }"
        % ", ".join(hosts),
    }
    for n in range(SERVERS):
        files[f"servers/s{n}.yaml"] = textwrap.dedent(f"""\
            server: s{n}
            about: {{ support: "#help" }}
            environments: {{ prod: {{ upstream: "http://127.0.{n // 250}.{n % 250 + 1}:7000/mcp" }} }}
            tools:
              look: {{ effect: read, minutes_saved: 1 }}
            grants:
              people: {{ people: [a], via: [chat], call: [look] }}
            """)
    (directory / "servers").mkdir()
    for path, text in files.items():
        (directory / path).write_text(f"toolgate: 1\n{text}\n")
    return directory


def on_a_terminal(*command: str, **environment: str) -> tuple[int, str, str]:
    """Runs a command whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [TOOLGATE, *command],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    told = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 120)
        assert ready, "nothing more was told, and the command did not end"
        try:
            read = os.read(ours, 65536)
        except OSError:
            break
        if not read:
            break
        told += read
    os.close(ours)
    output = process.communicate()[0]
    return process.returncode, output, told.decode()


@pytest.mark.parametrize("command", [["lint"], ["diff"]])
def test_a_long_run_tells_how_far_it_is(large, command):
    arguments = [large] if command == ["lint"] else [large, large]
    status, output, told = on_a_terminal(*command, *map(str, arguments))
    assert status == 0, output
    counts = [int(read) for read in re.findall(rf"reading (\d+) of {SERVERS + 3} files", told)]
    doing = re.findall(rf"(?:linting|comparing) {SERVERS + 3} files", told)
    assert counts or doing, told
    assert all(count < SERVERS + 3 for count in counts)
    # What was told is wiped out again.
    assert told.endswith("\r\x1b[K"), told
    assert "reading" not in output


@pytest.mark.parametrize("quiet", ["pipe", "dumb"])
def test_programs_are_told_nothing(large, quiet):
    if quiet == "dumb":
        status, _, told = on_a_terminal("lint", str(large), TERM="dumb")
    else:
        run = subprocess.run([TOOLGATE, "lint", large], capture_output=True, text=True, timeout=120)
        status, told = run.returncode, run.stderr
    assert status == 0
    assert told == ""


def test_short_runs_are_not_worth_a_word():
    status, output, told = on_a_terminal("lint", str(ROOT / "policies"))
    assert (status, told) == (0, ""), output
