"""What the demo prints can be copied, pasted, and believed."""

import asyncio
import os
import shutil
import subprocess

import pytest

import demo
from stack import Stack
from story import STORY
from workspace import REPOSITORY


def test_the_table_has_one_line_for_every_call(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asyncio.run(demo.tell(stack))
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if line.startswith("WHO"))
    rows = lines[lines.index(header) + 1 : -2]
    assert len(rows) == len(STORY)
    answer = header.index("ANSWER")
    assert {row[answer : answer + 9] for row in rows} == {"allowed  ", "refused  "}
    assert "\033" not in "".join(lines), "no colours off a terminal"


@pytest.mark.skipif(
    shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed"
)
def test_the_commands_do_what_they_say(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    commands = demo.commands(stack)
    # In one shell, as one would paste them one after the other.
    script = "\necho; echo ---\n".join(commands.values())
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    answers = dict(zip(commands, done.stdout.split("\n---\n"), strict=True))
    expected = [
        "seen by the server: user=alice groups=ads",
        '"reason":"no_grant"',
        "seen by the server: user=erin groups=ads-eng,data-trained",
        '"resource":"https://mcp.example.com/presto/mcp"',
        "REFUSED",
        "ready, version",
        'toolgate_minutes_saved_total{server="presto",environment="prod",tool="list_tables"}',
    ]
    for (title, answer), text in zip(answers.items(), expected, strict=True):
        assert text in answer, f"{title}: {answer} {done.stderr}"
