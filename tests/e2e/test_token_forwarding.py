"""Servers with an audience of their own, one of which is given the tokens of its callers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jose import Keys, claims
from raw import Answer
from stack import Record, Stack
from wire import Wire
from workspace import REPOSITORY

PREFIX = "/.well-known/oauth-protected-resource"
EVERYWHERE = "https://mcp.example.com"
PRESTO = "https://presto.example.com/mcp"
KNOWLEDGE = "https://knowledge.example.com/mcp"


def edit(work: Path) -> None:
    """presto is given tokens, in one environment; knowledge only has its own."""
    presto = work / "policies/servers/presto.yaml"
    text, staging = re.subn(r"(?m)^  staging: .*\n", "", presto.read_text())
    text, grant = re.subn(r"(?s)  try-in-staging:.*?(?=  nightly-lineage:)", "", text)
    assert (staging, grant) == (1, 1)
    presto.write_text(text)
    for name, keys in [
        ("presto", f'forward_token: true\nresource: "{PRESTO}"\n'),
        ("knowledge", f'resource: "{KNOWLEDGE}"\n'),
    ]:
        server = work / f"policies/servers/{name}.yaml"
        text = server.read_text()
        assert "\ntools:" in text
        server.write_text(text.replace("\ntools:", f"\n{keys}\ntools:", 1))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/token-forwarding", edit=edit) as stack:
        yield Wire(stack)


def token(wire: Wire, audience: object) -> str:
    return Keys(wire.stack.run / "identity").sign(payload=claims(aud=audience, groups=["ads", "ads-eng"]))


TOOLS = {"presto": "list_tables", "knowledge": "search", "airflow": "list_dags"}


def call(wire: Wire, server: str, token: str) -> tuple[Answer, list[Record]]:
    before = wire.stack.mark()
    answer = wire.call(server, TOOLS[server], token=token)
    return answer, wire.stack.records(before)


@pytest.mark.parametrize("audience", [PRESTO, [PRESTO]])
def test_a_server_is_given_the_token_byte_for_byte(wire: Wire, audience: object) -> None:
    sent = token(wire, audience)
    answer, (record,) = call(wire, "presto", sent)
    assert answer.status == 200
    assert record.header("authorization") == [f"Bearer {sent}"]
    assert record.header("x-forwarded-user") == ["alice"]
    assert record.header("x-forwarded-access-token") == []


def test_others_are_not(wire: Wire) -> None:
    for server, audience in [("knowledge", KNOWLEDGE), ("airflow", EVERYWHERE)]:
        answer, (record,) = call(wire, server, token(wire, audience))
        assert answer.status == 200, server
        assert record.header("authorization") == [], server
        assert record.header("x-forwarded-user") == ["alice"], server


@pytest.mark.parametrize(
    ("server", "audience"),
    [
        ("presto", EVERYWHERE),
        ("presto", KNOWLEDGE),
        ("presto", [PRESTO, EVERYWHERE]),
        ("presto", [PRESTO, "https://else.example.com"]),
        ("presto", f"{PRESTO}/"),
        ("presto", []),
        ("knowledge", EVERYWHERE),
        ("knowledge", PRESTO),
        ("airflow", PRESTO),
        ("airflow", KNOWLEDGE),
    ],
)
def test_a_token_holds_where_it_is_for_and_nowhere_else(
    wire: Wire, server: str, audience: object
) -> None:
    answer, records = call(wire, server, token(wire, audience))
    assert answer.status == 401
    assert 'error="invalid_token"' in (answer.header("www-authenticate") or "")
    assert records == []


def test_a_service_has_no_token_to_forward(wire: Wire) -> None:
    before = wire.stack.mark()
    assert wire.call("presto", "list_tables", person=None, place="nightly").status == 200
    (record,) = wire.stack.records(before)
    assert record.header("authorization") == []


def test_clients_learn_what_to_ask_for(wire: Wire) -> None:
    for server, resource in [
        ("presto", PRESTO),
        ("knowledge", KNOWLEDGE),
        ("airflow", f"{EVERYWHERE}/airflow/mcp"),
    ]:
        path = f"{PREFIX}/{server}/mcp"
        answer = wire.send(path, None, method="GET", person=None)
        assert json.loads(answer.body)["resource"] == resource
