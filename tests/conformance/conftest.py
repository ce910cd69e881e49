"""One gateway for all tests; `bootstrap` and `cargo build --bins --examples` come first."""

from collections.abc import Iterator

import pytest

from gateway import Gateway, gateway


@pytest.fixture(scope="session")
def running() -> Iterator[Gateway]:
    with gateway() as one:
        yield one
