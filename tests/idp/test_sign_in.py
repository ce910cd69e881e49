"""People and programs with tokens of real providers, and what servers are told about them."""

from dataclasses import dataclass

import pytest

from providers import RESOURCE, Provider
from shapes import decoded
from test_issuers import refused, told
from wire import Wire

Providers = dict[str, Provider]
Tokens = dict[tuple[str, str | None, str], str]  # by issuer, person and client
CORP, PARTNER = "corp", "partner"


@dataclass(frozen=True)
class Row:
    """Somebody calls a tool. `groups` are what the server is told about, or `refused` is the
    status and the reason."""

    issuer: str
    person: str | None  # or nobody: the client for itself
    client: str
    call: str
    groups: tuple[str, ...] = ()
    refused: tuple[int, str] | None = None

    def __str__(self) -> str:
        who = self.person or "itself"
        return f"{self.issuer}-{who}-{self.client}-{self.call}"


NO_GRANT, BANNED, INVALID = (403, "no_grant"), (200, "banned"), (401, "token_invalid")

ROWS = [
    *[
        row
        for name in [CORP, PARTNER]
        for row in [
            Row(name, "alice", "chat", "presto/list_tables", (f"{name}:ads",)),
            Row(name, "bob", "chat", "presto/list_tables", refused=NO_GRANT),
            Row(name, "bob", "chat", "knowledge/search", (f"{name}:contractors",)),
            Row(name, "bob", "chat", "knowledge/read_page", refused=BANNED),
            Row(name, "carl", "chat", "presto/list_tables", (f"{name}:ads", f"{name}:contractors")),
            Row(name, "carl", "chat", "knowledge/read_page", refused=BANNED),
            # A client that nobody put into groups says nothing about them, and that is not none.
            Row(name, None, "nightly", "knowledge/search"),
            Row(name, None, "nightly", "presto/list_tables", refused=NO_GRANT),
            Row(name, None, "nightly", "knowledge/read_page", refused=BANNED),
            Row(name, None, "reporter", "presto/list_tables", (f"{name}:ads",)),
        ]
    ],
    # Who is in no group: one provider says so, the other one says nothing.
    Row(PARTNER, "nina", "chat", "knowledge/read_page"),
    Row(CORP, "nina", "chat", "knowledge/search"),
    Row(CORP, "nina", "chat", "knowledge/read_page", refused=BANNED),
    # Keycloak's groups as paths are other groups, which no policy names.
    Row(CORP, "alice", "chat-paths", "presto/list_tables", refused=NO_GRANT),
    Row(CORP, "alice", "chat-paths", "knowledge/search"),
    Row(CORP, "alice", "chat-at-jwt", "presto/list_tables", ("corp:ads",)),
    # Tokens for somebody else.
    Row(CORP, "alice", "elsewhere", "presto/list_tables", refused=INVALID),
]


@pytest.fixture(scope="module")
def tokens(providers: Providers) -> Tokens:
    """Every row's access token."""
    wanted = {(row.issuer, row.person, row.client) for row in ROWS}

    def token(issuer: str, person: str | None, client: str) -> str:
        provider = providers[issuer]
        return provider.sign_in(person, client).access if person else provider.machine(client)

    return {who: token(*who) for who in wanted}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_a_token_of_a_real_provider_lets_one_do(
    wire: Wire, providers: Providers, tokens: Tokens, row: Row
) -> None:
    token = tokens[row.issuer, row.person, row.client]
    server, tool = row.call.split("/")
    if row.refused:
        assert refused(wire, server, tool, token) == row.refused
        return
    users, groups = told(wire, server, tool, token)
    found = [name for header in groups for name in header.split(",")]
    assert len(groups) <= 1 and sorted(found) == list(row.groups)
    (user,) = users
    issuer, _, subject = user.partition("|")
    assert issuer == row.issuer
    if row.person:
        assert subject == providers[row.issuer].subject(row.person)


def test_an_address_and_a_name_that_the_provider_vouches_for_are_passed_on(
    wire: Wire, providers: Providers
) -> None:
    before = wire.stack.mark()
    assert wire.call(token=providers[CORP].sign_in("alice").access).status == 200
    (record,) = wire.stack.records(before)
    assert record.header("x-forwarded-email") == ["alice@example.com"]
    assert record.header("x-forwarded-preferred-username") == ["alice"]


@pytest.mark.parametrize("more", [{}, {"nonce": "n-1"}], ids=["without nonce", "with nonce"])
@pytest.mark.parametrize("name", [CORP, PARTNER])
def test_what_is_no_access_token_is_refused(
    wire: Wire, providers: Providers, name: str, more: dict[str, str]
) -> None:
    """Although it names us as its audience: Keycloak is brought to that by a mapper, the other one
    by the name of a client."""
    tokens = providers[name].sign_in("alice", {CORP: "chat", PARTNER: RESOURCE}[name], **more)
    assert RESOURCE in decoded(tokens.id)["payload"]["aud"]
    for token in [tokens.id, tokens.refresh]:
        for server, tool in [("presto", "list_tables"), ("knowledge", "search")]:
            assert refused(wire, server, tool, token) == INVALID
    assert told(wire, "presto", "list_tables", tokens.access)[1] == [f"{name}:ads"]
