"""What an editor makes of docs/schema: samples are right, and what does not load is wrong."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from workspace import REPOSITORY

FULL = REPOSITORY / "tests/schema"
SCHEMAS = {
    path.stem: json.loads(path.read_text()) for path in (REPOSITORY / "docs/schema").glob("*.json")
}


class CoreSchema(yaml.SafeLoader):
    """YAML 1.2's core schema, as Toolgate and editors read it: no dates, and `no` is a text."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for tag, pattern in [
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
]:
    CoreSchema.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^({pattern})$"), None)


def errors(kind: str, text: str) -> list[str]:
    value = yaml.load(text, CoreSchema)  # noqa: S506
    return [error.message for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(value)]


def kind_of(path: Path) -> str:
    directories = {"servers": "server", "tests": "tests"}
    return directories.get(path.parent.name) or path.stem


def files() -> Iterator[tuple[str, Path]]:
    for directory in ["policies", "tests/schema/policies"]:
        for path in sorted((REPOSITORY / directory).glob("**/*.yaml")):
            yield kind_of(path), path
    yield "config", FULL / "config.yaml"
    yield "revoked", FULL / "revoked.yaml"
    yield "config", REPOSITORY / "envoy/toolgate.yaml"
    yield "config", REPOSITORY / "envoy/compose/toolgate.yaml"


def test_there_is_a_schema_of_every_kind():
    assert sorted({kind for kind, _ in files()}) == sorted(SCHEMAS)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("kind", "path"), list(files()), ids=str)
def test_what_loads_is_right(kind: str, path: Path):
    assert errors(kind, path.read_text()) == []


def test_what_is_wrong_does_not_load_either():
    of_kind = {kind: path for kind, path in files() if FULL in path.parents}
    rows = json.loads((FULL / "wrong.json").read_text())
    taken = []
    for kind, old, new in rows:
        text = of_kind[kind].read_text()
        assert old in text, (kind, old)
        if not errors(kind, text.replace(old, new, 1)):
            taken.append((kind, old, new))
    assert taken == []
