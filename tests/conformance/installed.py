"""What `bootstrap` installed, and how to run it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from process import Process, ProcessError
from workspace import REPOSITORY

HERE = Path(__file__).resolve().parent
MODULES = (REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache") / "conformance").resolve()
PACKAGES = MODULES / "node_modules/@modelcontextprotocol"


def node(script: Path, *arguments: str) -> list[str]:
    """The command that runs a script on Node.js 22."""
    if not (MODULES / "node").exists():
        raise ProcessError(f"there is no Node.js in {MODULES}\nhint: make conformance")
    return [str(MODULES / "node"), str(script), *arguments]


def environment(home: Path) -> dict[str, str]:
    """What a Node.js process finds beside our own environment; what it keeps goes to `home`."""
    home.mkdir(parents=True, exist_ok=True)
    return {"CONFORMANCE_MODULES": str(MODULES), "HOME": str(home), "NO_PROXY": "*"}


def process(
    name: str,
    command: Sequence[str],
    ready: Callable[[], bool],
    run: Path,
    **more: str,
) -> Process:
    """A Node.js process that is not started yet."""
    found = {**environment(run / "home"), **more}
    log = run / f"{name}.log"
    return Process(name, command, ready, cwd=run, log=log, environment=found)
