"""Workloads that prove themselves by JWT-SVIDs, through a real Envoy."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jose import Keys, header
from raw import Answer
from stack import Record, Stack
from story import LAPTOP, reason_of
from wire import Wire
from workspace import REPOSITORY

AUDIENCE = "spiffe://prod.example.com/toolgate"
WEBAPP = "spiffe://prod.example.com/ns/ai-chat/sa/webapp"
NIGHTLY = "spiffe://prod.example.com/ns/lineage/sa/nightly"
HEADER = "x-workload-token"
DOMAINS = "  trust_domains: [prod.example.com]\n"


def edit(work: Path) -> None:
    config = work / "envoy/toolgate.yaml"
    text = config.read_text()
    assert DOMAINS in text
    more = f'  jwt_svid: {{ audiences: ["{AUDIENCE}"], header: {HEADER} }}\n  bundles: bundles.json\n'
    config.write_text(text.replace(DOMAINS, DOMAINS + more))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    stack = Stack(REPOSITORY / "target/e2e/jwt-svids", edit=edit, ready="/livez")
    with stack:
        yield Wire(stack)


def svid(wire: Wire, workload: str, **changes: Any) -> str:
    """Signed with the provider's key, which the bundle has too."""
    now = int(time.time())
    claims = {"sub": workload, "aud": [AUDIENCE], "iat": now, "exp": now + 300} | changes
    return Keys(wire.stack.run / "identity").sign(header(typ="JWT"), claims)


def ready(wire: Wire) -> str:
    return wire.stack.admin("/readyz")[1]


def call(wire: Wire, *, person: str | None = None, **headers: str) -> tuple[Answer, list[Record]]:
    before = wire.stack.mark()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    answer = wire.call("presto", "list_tables", person=person, headers=named, place=LAPTOP)
    return answer, wire.stack.records(before)


def test_without_bundles_nothing_is_decided_about_a_jwt_svid(wire: Wire) -> None:
    assert "trust bundles" in ready(wire) and "not ready" in ready(wire)
    answer, records = call(wire, authorization=f"Bearer {svid(wire, NIGHTLY)}")
    assert answer.status == 503
    assert records == []
    # From here on there are some.
    (key,) = [
        key
        for key in json.loads((wire.stack.run / "identity/jwks.json").read_text())["keys"]
        if key["kid"] == "rsa-dev"
    ]
    bundles = {"trust_domains": {"prod.example.com": {"keys": [key | {"use": "jwt-svid"}]}}}
    (wire.stack.work / "envoy/bundles.json").write_text(json.dumps(bundles))
    deadline = time.monotonic() + 10
    while "not ready" in ready(wire):
        assert time.monotonic() < deadline, ready(wire)
        time.sleep(0.1)


def test_a_service_is_known_by_its_jwt_svid(wire: Wire) -> None:
    answer, (record,) = call(wire, authorization=f"Bearer {svid(wire, NIGHTLY)}")
    assert answer.status == 200
    assert record.header("x-toolgate-workload") == [NIGHTLY]
    assert record.header("x-forwarded-user") == record.header("authorization") == []


def test_a_surface_shows_its_jwt_svid_beside_the_users_token(wire: Wire) -> None:
    answer, (record,) = call(wire, person="alice", x_workload_token=svid(wire, WEBAPP))
    assert answer.status == 200
    assert record.header("x-toolgate-workload") == [WEBAPP]
    assert record.header("x-forwarded-user") == ["alice"]
    assert record.header(HEADER) == record.header("authorization") == []


def test_a_bad_jwt_svid_is_never_ignored(wire: Wire) -> None:
    expired = svid(wire, NIGHTLY, exp=int(time.time()) - 1)
    for person, sent, status, reason in [
        (None, {"authorization": f"Bearer {expired}"}, 401, "token_invalid"),
        (None, {"x_workload_token": expired}, 401, "unauthenticated"),
        ("alice", {"x_workload_token": expired}, 403, "workload_invalid"),
    ]:
        answer, records = call(wire, person=person, **sent)
        assert (answer.status, reason_of(answer.json())) == (status, reason)
        assert records == []
