"""The rows of tests/credentials that need nothing but headers and claims, through a real Envoy."""

import base64
import functools
import hashlib
import json
import re
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bad.row import META, MODERN, tool
from jose import Keys
from raw import Answer, Header
from stack import Stack
from story import LAPTOP, reason_of
from test_bad_requests import check_refusal
from wire import Wire
from workspace import REPOSITORY

Row = dict[str, Any]

CREDENTIALS = REPOSITORY / "tests/credentials"
SETUP = yaml.safe_load((CREDENTIALS / "setup.yaml").read_text())
# The rest of a recipe is about keys, signatures and configurations, which Envoy knows nothing of.
KNOWN = {"id", "input", "otherwise", "allowed", "refused", "why", "status", "envoy"}
KNOWN |= {"key", "header", "without_header", "header_members", "header_text"}
KNOWN |= {"claims", "without", "members", "payload"}
KNOWN |= {"authorization", "headers", "method", "path", "body", "tool", "peer", "from_elsewhere"}

ALGORITHMS = {"rsa-dev": "RS256", "ec-dev": "ES256"}
ALGORITHMS |= {"rsa-pss-dev": "PS256", "ec384-dev": "ES384", "ed-dev": "EdDSA"}
PLACES = {"webapp": "ai-chat", "nightly": "nightly", "stranger": "stranger", "none": LAPTOP}
STATUS = {"malformed": 400, "unauthenticated": 401, "token_invalid": 401, "unavailable": 503}
ALICE = {"x-forwarded-user": "alice", "x-forwarded-groups": "ads"}


def rows() -> list[Row]:
    files = sorted((CREDENTIALS / "rows").glob("*.yaml"))
    every = [row for file in files for row in yaml.safe_load(file.read_text())["rows"]]
    return [row for row in every if is_ours(row)]


def is_ours(row: Row) -> bool:
    foreign = row.get("key", "rsa-dev") not in ALGORITHMS or "JWK" in row.get("header", "")
    foreign = foreign or row.get("peer", "webapp") not in PLACES
    return row.keys() <= KNOWN and row.get("envoy") != "none" and not foreign


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a Toolgate with the rows' own policies."""

    def edit(work: Path) -> None:
        shutil.rmtree(work / "policies")
        shutil.copytree(CREDENTIALS / "policies", work / "policies")
        for path in work.glob("policies/**/*.yaml"):
            text = path.read_text().replace(":7101", f":{stack.ports['presto']}")
            path.write_text(text)

    stack = Stack(REPOSITORY / "target/e2e/rows", edit=edit)
    with stack:
        yield Wire(stack)


def test_there_are_rows() -> None:
    numbers = {int(re.sub("[a-z]+$", "", str(row["id"]))) for row in rows()}
    assert numbers >= {*range(1, 16), 17, 18, *range(90, 101)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['id']} {row['input']}")
def test_a_row_is_answered_as_it_says(wire: Wire, row: Row) -> None:
    expected = row.get("envoy", row)
    before = wire.stack.mark()
    answer = send(wire, row, row.get("peer", "webapp"))
    if "allowed" in expected:
        check_allowed(wire, answer, expected["allowed"], before)
        return
    assert wire.stack.records(before) == []
    check_refused(answer, expected)
    if expected.get("refused") == "token_invalid":
        # A service may make this call as long as it brings no user: it must not help.
        check_refused(send(wire, row, "nightly"), expected)
        assert wire.stack.records(before) == []


def check_allowed(wire: Wire, answer: Answer, told: dict[str, str | None], before: int) -> None:
    assert answer.status == 200, answer
    (record,) = wire.stack.records(before)
    for name, value in (ALICE | told).items():
        expected = [] if value is None else [unfolded(wire, value)]
        assert record.header(name) == expected, name
    assert record.header("authorization") == []


def check_refused(answer: Answer, expected: Row) -> None:
    reason = expected.get("refused")
    assert answer.status == expected.get("status", STATUS.get(str(reason), 403)), answer
    if reason is not None:  # or Envoy refuses, and says nothing
        assert reason_of(answer.json()) == reason
        check_refusal(answer, "/presto/mcp", reason)


# === from a recipe to a request ===


def send(wire: Wire, row: Row, peer: str) -> Answer:
    recipe = SETUP["usual"] | row
    token = signed(wire, recipe)

    def filled(text: str) -> bytes:
        return data(unfolded(wire, text).replace("TOKEN", token))

    headers: list[Header] = [(name, filled(value)) for name, value in recipe["headers"]]
    headers += [("Authorization", filled(value)) for value in recipe["authorization"]]
    body, method = None, recipe["method"]
    if method == "POST":
        headers += [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call")]
        headers += [("Mcp-Name", recipe["tool"])]
        call = tool(recipe["tool"], arguments={"query": "x"}, _meta=META).decode()
        body = filled(recipe["body"].replace("CALL", call))
    target = recipe["path"].replace("TOKEN", token)
    place = PLACES[peer]
    return wire.send(target, body, method=method, headers=headers, person=None, place=place)


@functools.cache
def keys(wire: Wire) -> Keys:
    return Keys(wire.stack.run / "identity")


def signed(wire: Wire, recipe: Row) -> str:
    kid = recipe["key"]
    usual = json.dumps({"alg": ALGORITHMS[kid], "typ": "at+jwt", "kid": kid})

    def part(usual: str, change: str, without: str, members: str, text: str) -> bytes:
        claims = json.loads(unfolded(wire, usual)) | json.loads(unfolded(wire, recipe[change]))
        for name in recipe[without]:
            del claims[name]
        good = json.dumps(claims, ensure_ascii=False)
        if recipe[members]:
            good = f"{good[:-1]}, {unfolded(wire, recipe[members])}}}"
        return data(unfolded(wire, recipe[text]).replace("GOOD", good))

    head = part(usual, "header", "without_header", "header_members", "header_text")
    payload = part(SETUP["good_claims"], "claims", "without", "members", "payload")
    return keys(wire).sign(head, payload, kid=kid, pss=kid == "rsa-pss-dev")


def unfolded(wire: Wire, text: str) -> str:
    """`NOW+5` is a time, `<x*3>` is `xxx`, `SHA256(NAME)` a certificate's thumbprint, and LISTENER
    an address where nobody is."""
    text = re.sub(r"NOW([+-]\d+)?", lambda found: str(int(time.time()) + int(found[1] or 0)), text)
    text = re.sub(r"<(.+?)\*(\d+)>", lambda found: found[1] * int(found[2]), text)
    text = re.sub(r"SHA256\((\w+)\)", lambda found: thumbprint(wire, PLACES[found[1]]), text)
    return text.replace("LISTENER", f"http://127.0.0.1:{wire.stack.ports['spare']}")


def thumbprint(wire: Wire, place: str) -> str:
    leaf = Path(wire.stack.cert(place)[0]).read_text().split("-----END", 1)[0]
    der = ssl.PEM_cert_to_DER_cert(f"{leaf}-----END CERTIFICATE-----")
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def data(text: str) -> bytes:
    r"""`\xff` is that byte."""
    pieces = re.split(r"\\x([0-9a-f]{2})", text)
    return b"".join(
        bytes.fromhex(piece) if index % 2 else piece.encode() for index, piece in enumerate(pieces)
    )
