"""A grant that asks for scopes, and what a token without them is told."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import session
from jose import Keys, claims
from raw import Answer
from stack import Stack
from wire import Wire
from workspace import REPOSITORY

PREFIX = "/.well-known/oauth-protected-resource"
METADATA = f"https://mcp.example.com{PREFIX}/presto/mcp"
CHALLENGE = (
    'Bearer error="insufficient_scope", scope="openid presto.read", '
    f'resource_metadata="{METADATA}"'
)


def edit(work: Path) -> None:
    """Tables are for tokens with two scopes."""
    presto = work / "policies/servers/presto.yaml"
    text = presto.read_text()
    before = "    call: [browse, run_query]\n  revenue:"
    assert before in text
    scopes = before.replace("\n  revenue", "\n    scopes: [presto.read, openid]\n  revenue")
    presto.write_text(text.replace(before, scopes))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/token-scopes", edit=edit) as stack:
        yield Wire(stack)


def token(wire: Wire, scope: object = ..., **changes: object) -> str:
    """`scope` that is `...` is not said."""
    keys = Keys(wire.stack.run / "identity")
    return keys.sign(payload=claims(scope=scope, **changes))


def call(wire: Wire, scope: object, name: str = "list_tables", **changes: object) -> Answer:
    return wire.call("presto", name, token=token(wire, scope, **changes))


@pytest.mark.parametrize("scope", ["openid presto.read", "presto.read email openid"])
def test_a_token_with_every_scope_is_let_through(wire: Wire, scope: str) -> None:
    before = wire.stack.mark()
    assert call(wire, scope).status == 200
    assert len(wire.stack.records(before)) == 1


@pytest.mark.parametrize("scope", [..., "openid", "presto.read", "Presto.read openid", "presto"])
def test_a_token_without_one_is_asked_for_all(wire: Wire, scope: object) -> None:
    before = wire.stack.mark()
    answer = call(wire, scope)
    assert (answer.status, answer.header("www-authenticate")) == (403, CHALLENGE)
    assert answer.header("content-type") == "application/json"
    error = answer.json()["error"]
    assert (error["code"], error["data"]["reason"]) == (403, "no_grant")
    assert answer.json()["id"] is not None
    assert wire.stack.records(before) == []


def test_nobody_is_asked_for_scopes_that_would_not_help(wire: Wire) -> None:
    refused = {
        "other people": call(wire, "openid", groups=["oncall"]),
        "another tool": call(wire, "openid", "get_revenue_metrics"),
        "a ban": call(wire, "openid", "get_revenue_metrics", groups=["contractors"]),
    }
    for why, answer in refused.items():
        assert answer.header("www-authenticate") is None, why
        assert answer.status in (200, 403) and b'"error"' in answer.body, why


def test_clients_learn_which_scopes_there_are(wire: Wire) -> None:
    def supported(path: str) -> object:
        answer = wire.send(PREFIX + path, None, method="GET", person=None)
        return answer.json().get("scopes_supported")

    assert supported("/presto/mcp") == ["openid", "presto.read"]
    assert supported("/presto@staging/mcp") is None
    assert supported("/knowledge/mcp") is None


def test_a_client_sees_a_typed_error_and_goes_on(wire: Wire) -> None:
    async def story() -> None:
        stack = wire.stack
        url, cert = stack.url("presto"), stack.cert("ai-chat")
        async with session(url, token=token(wire), cert=cert, ca=stack.ca) as mcp:
            # Who does not see a tool never asks for its scope.
            assert "list_tables" in await mcp.list_tools()
            for _ in range(2):
                outcome = await mcp.call("list_tables")
                assert (outcome.kind, outcome.code) == ("rpc_error", 403)
                assert outcome.data["reason"] == "no_grant"
                assert outcome.headers["www-authenticate"] == CHALLENGE

    asyncio.run(story())
