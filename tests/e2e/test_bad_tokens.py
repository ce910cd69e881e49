"""A token that is not exactly right signs nobody in, and never falls back to the workload."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bad.row import MODERN_CALL
from bad.tokens import BAD_TOKENS
from jose import Keys, claims, header
from test_bad_requests import MODERN_HEADERS, check_refusal
from wire import Wire


@pytest.fixture(scope="module")
def keys(wire: Wire) -> Keys:
    return Keys(wire.stack.run / "identity")


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_bad_token_is_refused(wire: Wire, keys: Keys, name: str) -> None:
    before = wire.stack.mark()
    headers = [*MODERN_HEADERS, ("Authorization", f"Bearer {BAD_TOKENS[name](keys)}")]
    # From a service that may make this call as long as it brings no user: it must not help.
    for place in ["ai-chat", "nightly"]:
        answer = wire.send("/presto/mcp", MODERN_CALL, headers=headers, person=None, place=place)
        assert (answer.status, answer.json()["error"]) == (401, "token_invalid"), answer
        check_refusal(answer, "/presto/mcp", "token_invalid")
    assert wire.stack.records(before) == []


GOOD_TOKENS: dict[str, Callable[[Keys], str]] = {
    "RS256": lambda keys: keys.sign(),
    "ES256": lambda keys: keys.sign(header(alg="ES256", kid="ec-dev"), kid="ec-dev"),
    "the media type in full": lambda keys: keys.sign(header(typ="application/at+jwt")),
    "the media type in capitals": lambda keys: keys.sign(header(typ="AT+JWT")),
    "one audience of several": lambda keys: keys.sign(
        payload=claims(aud=["https://other.example.com", "https://mcp.example.com"])
    ),
    "one group as a string": lambda keys: keys.sign(payload=claims(groups="ads")),
    "groups twice and unknown ones": lambda keys: keys.sign(
        payload=claims(groups=["ads", "ads", "finance", "Infra", " infra", "infra ", "no,such"])
    ),
    "white space between the claims": lambda keys: keys.sign(
        payload=json.dumps(claims(), indent=2).encode()
    ),
}


@pytest.mark.parametrize("name", GOOD_TOKENS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_signs_in(wire: Wire, keys: Keys, name: str, scheme: str) -> None:
    before = wire.stack.mark()
    headers = [*MODERN_HEADERS, ("Authorization", f"{scheme} {GOOD_TOKENS[name](keys)}")]
    assert wire.send("/presto/mcp", MODERN_CALL, headers=headers, person=None).status == 200
    (record,) = wire.stack.records(before)
    assert record.header("x-forwarded-user") == ["alice"]
    assert record.header("x-forwarded-groups") == ["ads"]


@pytest.mark.parametrize(
    "unknown",
    [
        {"groups": ..., "hasgroups": True},
        {"groups": ["ads"], "hasgroups": True},
        {"groups": ..., "_claim_names": {"groups": "src1"}},
        {"groups": ["ads"], "_claim_names": {"groups": "src1"}},
        {"groups": ...},
    ],
    ids=str,
)
def test_unknown_groups_are_not_no_groups(wire: Wire, keys: Keys, unknown: dict[str, Any]) -> None:
    token = keys.sign(payload=claims(**unknown))
    headers = [*MODERN_HEADERS, ("Authorization", f"Bearer {token}")]
    answer = wire.send("/presto/mcp", MODERN_CALL, headers=headers, person=None)
    assert (answer.status, answer.json()["error"]) == (403, "no_grant"), answer
