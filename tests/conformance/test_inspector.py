"""The Inspector's command line. What it prints is looked at, since its status says little."""

import json
import subprocess
from typing import Any

import pytest

from gateway import Gateway
from installed import PACKAGES, environment, node

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])


def inspect(running: Gateway, token: str, era: str, *arguments: str) -> tuple[int, str]:
    command = node(PACKAGES / "inspector/clients/launcher/build/index.js", "--cli")
    command += [running.through("fixture", "own"), "--transport", "http", "--stored-auth-only"]
    command += ["--header", f"Authorization: Bearer {token}", "--protocol-era", era]
    done = subprocess.run(
        [*command, *arguments, "--format", "json"],
        env=environment(running.stack.run / "home"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def answer(output: str) -> Any:
    """The result in what it printed."""
    return json.loads(output[output.index("{") :])["result"]


@ERAS
def test_it_lists_the_tools(running: Gateway, era: str) -> None:
    status, output = inspect(running, running.tester(), era, "--method", "tools/list")
    assert status == 0, output
    listed = {tool["name"] for tool in answer(output)["tools"]}
    assert {"test_simple_text", "test_image_content", "json_schema_2020_12_tool"} <= listed


@ERAS
def test_it_lists_what_a_reader_may_call(running: Gateway, era: str) -> None:
    status, output = inspect(running, running.reader(), era, "--method", "tools/list")
    assert status == 0, output
    assert [tool["name"] for tool in answer(output)["tools"]] == ["test_simple_text", "greet"]


@ERAS
def test_it_calls_a_tool(running: Gateway, era: str) -> None:
    call = ["--method", "tools/call", "--tool-name", "test_simple_text"]
    status, output = inspect(running, running.reader(), era, *call)
    assert status == 0, output
    (content,) = answer(output)["content"]
    assert content == {"type": "text", "text": "This is a simple text response for testing."}


@ERAS
def test_it_says_what_was_refused(running: Gateway, era: str) -> None:
    # A tool that it does not see in the list it does not even call; this one it sees.
    call = ["--method", "tools/call", "--tool-name", "greet", "--tool-arg"]
    status, output = inspect(running, running.reader(), era, *call, "name=World")
    assert (status, answer(output)["content"][0]["text"]) == (0, "Hello, World!")
    status, output = inspect(running, running.reader(), era, *call, "name=Mallory")
    # In the newer era it takes the code 403 for a status, and that for a missing token.
    assert status in (1, 3) and "(limit)" in output, (status, output)
