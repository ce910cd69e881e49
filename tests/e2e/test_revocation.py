"""Who is on the deny-list is refused within a second, and nobody else; and whatever becomes of the
file, nobody on it is let in again by accident."""

import base64
import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import raw
from bad.row import MODERN_CALL
from jose import Keys, claims, encoded, header
from stack import Stack
from test_bad_requests import MODERN_HEADERS
from test_issuers import CORP, PARTNER, add_partner, let_partner_in, prefix_groups
from wire import USUAL, Wire
from workspace import REPOSITORY

IN_TIME = 1.0  # seconds
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NOBODY = "toolgate: 1\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Wire]:
    def edit(work: Path) -> None:
        config = work / "envoy/toolgate.yaml"
        add_partner(config)
        config.write_text(config.read_text() + "\ntokens: { revoked: revoked.yaml }\n")
        prefix_groups(work / "policies", ["partner:ads", "partner:ads-eng"])
        let_partner_in(work / "policies")
        stack.identity("token", "--keys", "../run/partner", "--sub", "x")
        (work / "envoy/revoked.yaml").write_text(NOBODY)

    stack = Stack(REPOSITORY / "target/e2e/revocation", edit=edit)
    with stack:
        yield Wire(stack)


@pytest.fixture
def wire(running: Wire) -> Iterator[Wire]:
    """With a deny-list that denies nobody, before and after."""
    yield running
    replace(running, NOBODY)
    counted = 'toolgate_revoked{kind="token"}', 'toolgate_revoked{kind="user"}'
    until(running, lambda: [running.stack.metrics()[name] for name in counted] == [0, 0])
    assert running.stack.metrics()["toolgate_revoked_in_step"] == 1


def path(wire: Wire) -> Path:
    return wire.stack.work / "envoy/revoked.yaml"


def replace(wire: Wire, text: str) -> None:
    new = path(wire).with_suffix(".new")
    new.write_text(text)
    os.replace(new, path(wire))


def until(wire: Wire, reached) -> None:
    wire.stack.processes["toolgate"].wait_until(reached, "did not follow the deny-list")


def token(wire: Wire, issuer: str = CORP, **changes) -> str:
    directory = {CORP: "identity", PARTNER: "partner"}[issuer]
    keys = Keys(wire.stack.run / directory)
    return keys.sign(payload=claims(iss=issuer, groups=["ads"], **changes))


def status(wire: Wire, token: str) -> int:
    return wire.call("knowledge", "search", token=token).status


def refused_in_time(wire: Wire, text: str, *tokens: str) -> None:
    """After the list says this, each token is refused within a second, for that reason."""
    for each in tokens:
        assert [status(wire, each) for _ in range(2)] == [200, 200], "it is in the cache by now"
    replace(wire, text)
    since = time.monotonic()
    while any(status(wire, each) == 200 for each in tokens):
        assert time.monotonic() - since < IN_TIME, "not in time"
    for each in tokens:
        before = wire.stack.mark()
        answer = wire.call("knowledge", "search", token=each)
        assert (answer.status, answer.json()["error"]) == (401, "token_invalid")
        assert 'error="invalid_token"' in answer.header("www-authenticate")
        assert wire.stack.records(before) == []
        decision = wire.stack.decision(answer.header("x-toolgate-decision-id"))
        assert (decision["reason"], decision["detail"]) == (
            "token_invalid",
            "the token has been revoked",
        )
        assert each not in json.dumps(decision)


def listing(*tokens: tuple[str, str], users: tuple[str, ...] = ()) -> str:
    # JSON is YAML in flow style.
    lines = [json.dumps({"issuer": issuer, "jti": jti}) for issuer, jti in tokens]
    return f"toolgate: 1\ntokens: [{', '.join(lines)}]\nusers: {json.dumps(users)}\n"


def test_a_token_is_refused_within_a_second_and_no_other_one(wire: Wire) -> None:
    stolen, other = token(wire, jti="stolen"), token(wire, jti="other")
    theirs, nameless = token(wire, PARTNER, jti="stolen"), token(wire, jti=...)
    refused_in_time(wire, listing(("corp", "stolen")), stolen)
    for each in [other, theirs, nameless, token(wire, jti="Stolen"), token(wire, jti="stolen ")]:
        assert status(wire, each) == 200
    # Signed again it is the same token still.
    assert status(wire, token(wire, jti="stolen", sub="kim")) == 401


def test_a_user_is_refused_with_all_tokens_and_no_other_one(wire: Wire) -> None:
    tokens = [token(wire, sub="mallory", jti=jti) for jti in ["a", "b", ...]]
    refused_in_time(wire, listing(users=("corp:mallory",)), *tokens)
    assert status(wire, token(wire, sub="mallory", jti="new")) == 401
    for each in [
        token(wire, PARTNER, sub="mallory"),
        token(wire, sub="mallory2"),
        token(wire, sub="Mallory"),
        token(wire, sub="alice", email="mallory", preferred_username="mallory"),
    ]:
        assert status(wire, each) == 200


def test_a_signature_in_its_other_spelling_is_the_same_token(wire: Wire) -> None:
    keys = Keys(wire.stack.run / "identity")
    head = header(alg="ES256", kid="ec-dev")
    signed = keys.sign(head, claims(jti="curve", groups=["ads"]), kid="ec-dev")
    content, signature = signed.rsplit(".", 1)
    numbers = base64.urlsafe_b64decode(signature + "==")
    r, s = numbers[:32], int.from_bytes(numbers[32:], "big")
    other = f"{content}.{encoded(r + (P256_ORDER - s).to_bytes(32, 'big'))}"
    assert other != signed and status(wire, other) == 200, "it verifies as well"
    refused_in_time(wire, listing(("corp", "curve")), signed)
    assert status(wire, other) == 401


def test_a_connection_that_stays_open_does_not_help(wire: Wire) -> None:
    stolen = token(wire, jti="kept")
    tls = raw.tls(wire.stack.ca, wire.stack.cert("ai-chat"))
    connection = http.client.HTTPSConnection("localhost", wire.stack.ports["mtls"], context=tls)
    connection.connect()
    socket = connection.sock

    def ask() -> int:
        headers = dict([*USUAL, *MODERN_HEADERS, ("Authorization", f"Bearer {stolen}")])
        connection.request("POST", "/presto/mcp", MODERN_CALL, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert [ask() for _ in range(3)] == [200] * 3
    replace(wire, listing(("corp", "kept")))
    since = time.monotonic()
    while ask() == 200:
        assert time.monotonic() - since < IN_TIME, "not in time"
    assert ask() == 401 and connection.sock is socket, "the same connection"
    connection.close()


def test_a_line_that_goes_lets_the_token_in_again(wire: Wire) -> None:
    mistaken, stolen = token(wire, jti="mistaken"), token(wire, jti="stolen")
    both = listing(("corp", "mistaken"), ("corp", "stolen"))
    refused_in_time(wire, both, mistaken, stolen)
    replace(wire, listing(("corp", "stolen")))
    until(wire, lambda: status(wire, mistaken) == 200)
    assert status(wire, stolen) == 401


BROKEN = {
    "not YAML": "toolgate: 1\ntokens: [",
    "nothing": "",
    "an unknown key": "toolgate: 1\ntoken: []\n",
    "an unknown issuer": "toolgate: 1\nusers: [\"crop:eve\"]\n",
    "too large": f"toolgate: 1\n#{'x' * (16 << 20)}\n",
    "not text": None,
    "gone": None,
}


def test_a_broken_list_lets_nobody_in_and_says_so(wire: Wire) -> None:
    stolen = token(wire, jti="stolen")
    stack, good = wire.stack, listing(("corp", "stolen"))
    refused_in_time(wire, good, stolen)
    log = stack.processes["toolgate"].log
    for name, text in BROKEN.items():
        before = log.read_text().count("bad deny-list")
        if name == "gone":
            path(wire).unlink()
        elif text is None:
            path(wire).write_bytes(b"toolgate: 1 # \xff\n")
        else:
            replace(wire, text)
        until(wire, lambda: log.read_text().count("bad deny-list") > before)
        until(wire, lambda: stack.admin("/readyz")[1].startswith("degraded\n"))
        time.sleep(2.5)  # longer than it takes to let somebody go
        assert stack.admin("/readyz")[0] == 200 and status(wire, stolen) == 401, name
        assert status(wire, token(wire)) == 200
        assert stack.metrics()["toolgate_revoked_in_step"] == 0
    told = stack.attempt("toolgate", "status", "--config", "toolgate.yaml")
    assert told.returncode == 1 and "revoked.yaml: cannot be read" in told.stdout
    # Whoever is added to a list with a mistake in it is stopped all the same.
    eve = token(wire, sub="eve")
    partly = good.replace("users: []", 'users: ["corp:eve", "crop:dave"]')
    refused_in_time(wire, partly, eve)
    until(wire, lambda: "did you mean `corp`" in json.dumps(stack.status()["deny_list"]))
    replace(wire, good)
    until(wire, lambda: status(wire, eve) == 200)
    assert status(wire, stolen) == 401 and stack.admin("/readyz")[1].startswith("ready\n")


def test_a_list_that_is_written_in_place_loses_nobody(wire: Wire) -> None:
    stolen = token(wire, jti="last")
    entries = [("corp", f"t{number}") for number in range(2000)]
    text = listing(*entries, ("corp", "last")).replace("}, ", "},\n ")
    refused_in_time(wire, text, stolen)
    deadline = time.monotonic() + 3
    with path(wire).open("w") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()
            if time.monotonic() < deadline:
                time.sleep(0.001)
                assert status(wire, stolen) == 401
    assert status(wire, stolen) == 401


def test_without_its_deny_list_nothing_starts(wire: Wire) -> None:
    stack = wire.stack
    check = ("toolgate", "serve", "--check", "--config", "toolgate.yaml")
    assert stack.attempt(*check).returncode == 0
    for text, cure in [
        (None, "names the deny-list"),
        ("toolgate: 1\nusers: [\"crop:eve\"]\n", "did you mean `corp`?"),
    ]:
        if text is None:
            path(wire).unlink()
        else:
            replace(wire, text)
        for arguments in [check, tuple(part for part in check if part != "--check")]:
            done = stack.attempt(*arguments)
            assert done.returncode == 2 and cure in done.stderr, done.stderr
    replace(wire, listing(users=("corp:mallory",)))
    mallory = token(wire, sub="mallory")
    with stack.stopped("toolgate"):
        pass
    # From the first answer on.
    assert status(wire, mallory) == 401
