"""Two issuers: what one says about its people is not said about the other's."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jose import Keys, claims
from stack import Stack
from wire import Wire
from workspace import REPOSITORY

CORP, PARTNER = "https://login.example.com", "https://login.partner.example"


def add_partner(config: Path) -> None:
    """A second issuer, and prefixes for the groups of both."""
    text = config.read_text()
    text = text.replace("  corp:\n", '  corp:\n    group_prefix: "corp:"\n')
    partner = f"""
  partner:
    issuer: {PARTNER}
    audiences: ["https://mcp.example.com"]
    keys: {{ file: ../run/partner/jwks.json }}
    algorithms: [RS256]
    group_prefix: "partner:"
"""
    config.write_text(text.replace("\nworkloads:", f"{partner}\nworkloads:"))


def prefix_groups(policies: Path, more: Iterable[str] = ()) -> None:
    """The sample groups are corp's; `more` are declared beside them."""
    groups = policies / "groups.yaml"
    text = re.sub(r"^  ([a-z-]+):", r'  "corp:\1":', groups.read_text(), flags=re.MULTILINE)
    groups.write_text(text + "".join(f'  "{name}": {{}}\n' for name in more))

    def prefixed(found: re.Match[str]) -> str:
        names = found[2].split(", ")
        kept = [name if name == "anyone-signed-in" else f'"corp:{name}"' for name in names]
        return f"{found[1]}[{', '.join(kept)}]"

    for path in policies.rglob("*.yaml"):
        path.write_text(
            re.sub(r"\b((?:people|also_in|except|approval): )\[(.*?)\]", prefixed, path.read_text())
        )


def let_partner_in(policies: Path) -> None:
    """The revenue is for corp's engineers, the list of tables also for partner's."""
    presto = policies / "servers/presto.yaml"
    text = presto.read_text()
    before = '"corp:finance", "corp:infra"]'
    assert before in text
    presto.write_text(text.replace(before, '"corp:finance", "partner:ads-eng"]'))
    with (policies / "servers/knowledge.yaml").open("a") as file:
        file.write('\nbans:\n  pages: { people: ["corp:contractors"], call: [read_page] }\n')


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    def edit(work: Path) -> None:
        add_partner(work / "envoy/toolgate.yaml")
        prefix_groups(work / "policies", ["partner:ads", "partner:ads-eng"])
        let_partner_in(work / "policies")
        stack.identity("token", "--keys", "../run/partner", "--sub", "x")

    stack = Stack(REPOSITORY / "target/e2e/issuers", edit=edit)
    with stack:
        yield Wire(stack)


@pytest.fixture(scope="module")
def keys(wire: Wire) -> dict[str, Keys]:
    run = wire.stack.run
    return {CORP: Keys(run / "identity"), PARTNER: Keys(run / "partner")}


def token(keys: dict[str, Keys], issuer: str, groups: Any = ..., **changes: Any) -> str:
    """`groups` that are `...` are not said."""
    return keys[issuer].sign(payload=claims(iss=issuer, groups=groups, **changes))


def told(wire: Wire, server: str, name: str, token: str) -> tuple[list[str], list[str]]:
    """User and groups, as the server is told about them."""
    before = wire.stack.mark()
    answer = wire.call(server, name, token=token)
    assert answer.status == 200 and b'"result"' in answer.body, answer
    (record,) = wire.stack.records(before)
    return record.header("x-forwarded-user"), record.header("x-forwarded-groups")


def refused(wire: Wire, server: str, name: str, token: str) -> tuple[int, str]:
    """Status and reason."""
    before = wire.stack.mark()
    answer = wire.call(server, name, token=token)
    assert wire.stack.records(before) == []
    error = answer.json()["error"]
    return answer.status, error if isinstance(error, str) else error["data"]["reason"]


def test_the_same_subject_of_two_issuers_is_two_people(wire: Wire, keys: dict[str, Keys]) -> None:
    for issuer, name in [(CORP, "corp"), (PARTNER, "partner")]:
        asked = told(wire, "knowledge", "search", token(keys, issuer, ["ads"]))
        assert asked == ([f"{name}|alice"], [f"{name}:ads"])


def test_a_subject_cannot_be_written_like_another_issuers(
    wire: Wire, keys: dict[str, Keys]
) -> None:
    asked = told(wire, "knowledge", "search", token(keys, PARTNER, [], sub="corp|alice"))
    assert asked == (["partner|corp%7Calice"], [])


def test_groups_are_the_issuers_own(wire: Wire, keys: dict[str, Keys]) -> None:
    for claimed in [["ads"], ["corp:ads"], ["ads", "corp:ads", "corp:corp:ads"]]:
        partners = token(keys, PARTNER, claimed)
        assert refused(wire, "presto", "list_tables", partners) == (403, "no_grant")
    corps = token(keys, CORP, ["ads"])
    assert told(wire, "presto", "list_tables", corps) == (["corp|alice"], ["corp:ads"])
    # Nor does a value of corp's that stands for a group of another name.
    value = "8c1f6a0e-2f6b-4c1e-9a0b-5d2f3c4b7a11"
    corps = token(keys, CORP, [value])
    assert told(wire, "presto", "list_tables", corps) == (["corp|alice"], ["corp:finance"])
    for claimed in [[value], [f"corp:{value}"]]:
        partners = token(keys, PARTNER, claimed)
        assert refused(wire, "presto", "list_tables", partners) == (403, "no_grant")


def test_a_group_of_the_partners_has_the_partners_grants(wire: Wire, keys: dict[str, Keys]) -> None:
    partners = token(keys, PARTNER, ["ads-eng"])
    asked = told(wire, "presto", "list_tables", partners)
    assert asked == (["partner|alice"], ["partner:ads-eng"])
    assert refused(wire, "presto", "get_revenue_metrics", partners) == (200, "no_grant")
    trained = token(keys, CORP, ["ads-eng", "data-trained"])
    told(wire, "presto", "get_revenue_metrics", trained)


@pytest.mark.parametrize(("named", "signer"), [(CORP, PARTNER), (PARTNER, CORP)])
def test_an_issuer_signs_its_own_tokens_only(
    wire: Wire, keys: dict[str, Keys], named: str, signer: str
) -> None:
    forged = keys[signer].sign(payload=claims(iss=named))
    assert refused(wire, "knowledge", "search", forged) == (401, "token_invalid")


def test_an_issuer_that_is_only_nearly_known_is_unknown(wire: Wire, keys: dict[str, Keys]) -> None:
    for near in [f"{CORP}/", CORP.upper(), f"{CORP} ", "", "corp", [CORP], None, ...]:
        forged = keys[CORP].sign(payload=claims(iss=near))
        assert refused(wire, "knowledge", "search", forged) == (401, "token_invalid"), near


def test_algorithms_are_each_issuers_own(wire: Wire, keys: dict[str, Keys]) -> None:
    def signed(issuer: str) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": "ec-dev"}
        return keys[issuer].sign(head, claims(iss=issuer), kid="ec-dev")

    assert wire.call("knowledge", "search", token=signed(CORP)).status == 200
    assert refused(wire, "knowledge", "search", signed(PARTNER)) == (401, "token_invalid")


def test_who_says_nothing_about_groups_may_do_what_needs_none(
    wire: Wire, keys: dict[str, Keys]
) -> None:
    for issuer, name in [(CORP, "corp"), (PARTNER, "partner")]:
        silent = token(keys, issuer)
        assert told(wire, "knowledge", "search", silent) == ([f"{name}|alice"], [])
        assert refused(wire, "presto", "list_tables", silent) == (403, "no_grant")


def test_who_says_nothing_about_groups_is_in_every_group_that_is_banned(
    wire: Wire, keys: dict[str, Keys]
) -> None:
    # Everybody may search, but corp's contractors may not read pages.
    for issuer in [CORP, PARTNER]:
        assert refused(wire, "knowledge", "read_page", token(keys, issuer)) == (200, "banned")
        told(wire, "knowledge", "read_page", token(keys, issuer, []))
        told(wire, "knowledge", "read_page", token(keys, issuer, ["ads"]))
    contractor = token(keys, CORP, ["contractors"])
    assert refused(wire, "knowledge", "read_page", contractor) == (200, "banned")
    told(wire, "knowledge", "read_page", token(keys, PARTNER, ["contractors"]))
