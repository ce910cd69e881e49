"""Tokens of these versions of the providers look as they did when the tables of the unit tests
were made from them. IDP_SHAPES=write writes them anew."""

import json
import os

import pytest

from providers import Provider
from shapes import NAMES, SHAPES, shape


@pytest.mark.parametrize("name", NAMES)
def test_tokens_look_as_they_did(providers: dict[str, Provider], name: str) -> None:
    file = SHAPES / f"{NAMES[name]}.json"
    found = shape(providers[name])
    if os.environ.get("IDP_SHAPES") == "write":
        file.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(file.read_text())
