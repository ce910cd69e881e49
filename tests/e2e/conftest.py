"""One running stack for all tests; `cargo build --bins --examples` comes first."""

from collections.abc import Iterator

import pytest

from client import SDK
from stack import Stack
from wire import Wire
from workspace import REPOSITORY

# The older SDK's environment is for its client, and so for the story; the rest has no client.
collect_ignore_glob = ["test_[!s]*.py"] if SDK == 1 else []


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with Stack(REPOSITORY / f"target/e2e/mcp{SDK}") as running:
        yield running


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Wire:
    return Wire(stack)
