"""What `toolgate doctor` says is what the running Toolgate does, and never the token."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jose import Keys, claims, header
from stack import Stack, binary
from wire import Wire
from workspace import REPOSITORY


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    def edit(work: Path) -> None:
        config = work / "envoy/toolgate.yaml"
        config.write_text(config.read_text() + "\ntokens: { revoked: revoked.yaml }\n")
        listed = 'toolgate: 1\ntokens: [{ issuer: corp, jti: "stolen" }]\n'
        (work / "envoy/revoked.yaml").write_text(listed)

    with Stack(REPOSITORY / "target/e2e/doctor", edit=edit) as stack:
        yield Wire(stack)


def doctor(stack: Stack, token: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [binary("toolgate"), "doctor", "--config", "toolgate.yaml", "--token", "-"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=stack.work / "envoy",
        input=token,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    bare = token.removeprefix("Bearer ").strip()
    assert not any(bare[at : at + 20] in said for at in range(len(bare) - 19)), said
    return done


def test_it_says_what_the_server_does(wire: Wire) -> None:
    stack = wire.stack
    keys = Keys(stack.run / "identity")
    rows = {
        "good": keys.sign(),
        "expired": keys.sign(payload=claims(exp=1)),
        "audience": keys.sign(payload=claims(aud="https://other.example")),
        "issuer": keys.sign(payload=claims(iss="https://login.example.com/")),
        "kid": keys.sign(header(kid="nobody's")),
        "alg": keys.sign(header(alg="HS256")),
        "signature": keys.sign()[:-8] + "AAAAAAAA",
        "revoked": keys.sign(payload=claims(jti="stolen")),
        "nonsense": "nonsense",
    }
    for name, token in rows.items():
        answer = wire.call(token=token)
        done = doctor(stack, f"Bearer {token}\n")
        assert done.returncode == {200: 0, 401: 1}[answer.status], (name, done.stdout)
        first = done.stdout.splitlines()[0]
        if answer.status == 401:
            decision = stack.decision(answer.header("x-toolgate-decision-id"))
            assert first == f"REFUSED  token_invalid  {decision['detail']}", name
        else:
            assert first == "ACCEPTED" and 'X-Forwarded-User: "alice"' in done.stdout
            assert 'groups: "ads"' in done.stdout
    told = json.loads(doctor(stack, rows["good"], "--format", "json").stdout)
    assert told["verdict"] == "accepted" and told["person"]["name"] == "corp:alice"


def test_it_says_how_the_keys_of_issuers_are(wire: Wire) -> None:
    stack = wire.stack
    asked = ("toolgate", "doctor", "--config", "toolgate.yaml")
    done = stack.attempt(*asked)
    assert done.returncode == 0 and "ok    keys of corp: 5 usable from" in done.stdout, done
    assert "ok    deny-list: 1 tokens and 0 users" in done.stdout
    file = stack.run / "identity/jwks.json"
    kept = file.read_bytes()
    published = json.loads(kept)
    published["keys"][0]["d"] = "AQAB"
    file.write_text(json.dumps(published))
    try:
        done = stack.attempt(*asked)
        assert done.returncode == 1 and "a private key was published" in done.stdout, done
        file.unlink()
        done = stack.attempt(*asked)
        assert done.returncode == 1 and "miss  keys of corp" in done.stdout, done
        done = doctor(stack, Keys(file.parent).sign())
        assert done.returncode == 2 and done.stdout.startswith("UNKNOWN"), done
    finally:
        file.write_bytes(kept)


def test_a_token_on_the_command_line_is_no_file(wire: Wire) -> None:
    token = Keys(wire.stack.run / "identity").sign()
    done = wire.stack.attempt("toolgate", "doctor", "--config", "toolgate.yaml", "--token", token)
    assert done.returncode == 2 and token[:20] not in done.stdout + done.stderr
    assert "shell's history" in done.stderr
