"""The client libraries, each in a process of its own that is asked line by line."""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from installed import HERE, environment, node
from process import ProcessError
from stack import binary
from workspace import REPOSITORY

PATIENCE = 30  # seconds for one answer
CACHE = REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache")


def python(venv: str) -> list[str]:
    path = CACHE / venv / "bin/python"
    if not path.exists():
        raise ProcessError(f"there is no {path}\nhint: make conformance")
    return [str(path), str(HERE / "clients/python_sdk.py")]


@dataclass(frozen=True)
class Library:
    name: str
    era: str
    error: str  # what it raises when a request is refused

    def __str__(self) -> str:
        return f"{self.name}-{self.era}"

    @property
    def command(self) -> list[str]:
        match self.name:
            case "python-1":
                return python("venv-mcp1")
            case "python-2":
                return python("venv")
            case "rmcp":
                return [str(binary("examples/rmcp_client"))]
            case script:
                return node(HERE / f"clients/{script}.mjs")

    @contextmanager
    def connected(self, url: str, token: str, **more: str) -> Iterator["Client"]:
        """A client that stays connected until the end of the block; `session` to go on with one."""
        options = json.dumps({"url": url, "token": token, "era": self.era, **more})
        home = REPOSITORY / "target/conformance/run/home"
        with subprocess.Popen(
            [*self.command, options],
            env={**os.environ, **environment(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            client = Client(child)
            try:
                client.greeting = client.answer()
                yield client
            finally:
                child.kill()


class Client:
    greeting: Mapping[str, Any]  # how it connected, or why it did not

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def call(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        """What comes of one call, in the library's own words."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"name": tool, "arguments": arguments}) + "\n")
        self._child.stdin.flush()
        return self.answer()

    def answer(self) -> Mapping[str, Any]:
        stdout = self._child.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], PATIENCE)[0]:
            return {"kind": "silence"}
        line = stdout.readline()
        answer: Mapping[str, Any] = json.loads(line) if line else {"kind": "ended"}
        return answer


LIBRARIES = [
    Library("python-1", "older", "McpError"),
    Library("python-2", "older", "MCPError"),
    Library("python-2", "modern", "MCPError"),
    Library("ts_v1", "older", "McpError"),
    Library("ts_v2", "older", "ProtocolError"),
    Library("ts_v2", "modern", "ProtocolError"),
    Library("rmcp", "older", "McpError"),
    Library("rmcp", "modern", "McpError"),
]
