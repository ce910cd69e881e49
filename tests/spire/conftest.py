"""One mesh for all tests; `bootstrap` and `cargo build --bins --examples` come first."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh import TARGET, Mesh

SHORT = bool(os.environ.get("SHORT"))

# Certificates are renewed after half of it.
LIFETIME = 20 if SHORT else 120


@pytest.fixture(scope="session")
def mesh() -> Iterator[Mesh]:
    # The path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="spire-") as sockets:
        mesh = Mesh(TARGET, Path(sockets), LIFETIME)
        try:
            mesh.start()
            yield mesh
        finally:
            mesh.stop()
