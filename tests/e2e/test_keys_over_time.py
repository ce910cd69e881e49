"""Keys over time: kept as fresh as their provider says, for no longer than they may be, and asked
for once when a token names a new one. A minute is a second here."""

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from jose import Keys, claims, foreign, header
from key_server import (
    Behaviour,
    KeyServer,
    document,
    dripping,
    key_server,
    padded,
    streamed,
    wait_until,
)
from stack import Stack, answers
from test_faults import build_with_faults
from test_issuers import prefix_groups
from wire import Wire
from workspace import REPOSITORY

HURRY = 60
REFETCH = 5.0  # seconds
FRESH_FOR_LONG = "max-age=3600"
FRESH_FOR_A_MOMENT = "max-age=60"

EMPTY = b'{"keys": []}'
LARGEST = 256 * 1024

PARTNER = "https://login.partner.example"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """To a stack with two issuers whose keys are at `/corp` and `/partner`."""
    build_with_faults()

    def edit(work: Path) -> None:
        base = f"http://127.0.0.1:{stack.ports['spare']}"

        def keys(name: str) -> str:
            return f'{{ url: "{base}/{name}", max_stale_minutes: 3, refetch_seconds: 5 }}'

        text = re.sub(r"keys: \{.*\}", f"keys: {keys('corp')}", stack.config.read_text())
        text = text.replace("  corp:\n", '  corp:\n    group_prefix: "corp:"\n')
        partner = f"""
  partner:
    issuer: {PARTNER}
    audiences: ["https://mcp.example.com"]
    keys: {keys("partner")}
    algorithms: [RS256]
    group_prefix: "partner:"
"""
        stack.config.write_text(text.replace("\nworkloads:", f"{partner}\nworkloads:"))
        prefix_groups(work / "policies")

    stack = Stack(
        REPOSITORY / "target/e2e/keys-over-time",
        edit=edit,
        ready="/livez",
        toolgate="examples/toolgate_faults",
        environment={"TOOLGATE_FAULT_HURRY": str(HURRY)},
    )
    with stack:
        yield Wire(stack)


class Provider:
    """Two issuers' keys at one port; corp's answer changes."""

    def __init__(self, wire: Wire, server: KeyServer) -> None:
        self.wire, self.server = wire, server
        self.keys = Keys(wire.stack.run / "identity")
        self.jwks = jwks(wire)
        self.corp: Behaviour = self.answer(self.jwks)
        self.partner: Behaviour = self.answer(self.jwks)
        server.behaviour = self._behave

    def answer(self, jwks: bytes, control: str = FRESH_FOR_LONG, **headers: str) -> Behaviour:
        return document(jwks, Cache_Control=control, **headers)

    def asked(self, name: str = "corp") -> int:
        return self.server.asked.count(f"/{name}")

    def status(self, token: str | None = None) -> int:
        token = self.keys.sign() if token is None else token
        return self.wire.call("knowledge", "search", token=token).status

    def partners(self) -> str:
        return self.keys.sign(payload=claims(iss=PARTNER))

    def _behave(self, handler: BaseHTTPRequestHandler) -> None:
        (self.partner if handler.path == "/partner" else self.corp)(handler)


def jwks(wire: Wire) -> bytes:
    return (wire.stack.run / "identity/jwks.json").read_bytes()


@pytest.fixture
def provider(wire: Wire) -> Iterator[Provider]:
    """With a Toolgate that has just fetched the usual keys, which stay fresh for a minute."""
    with key_server(wire.stack.ports["spare"], document(b"", status=503)) as server:
        provider = Provider(wire, server)
        with wire.stack.stopped("toolgate"):
            pass
        wait_until(lambda: ready(wire.stack))
        yield provider


def ready(stack: Stack) -> bool:
    return answers(stack.ports["toolgate"], "/readyz")


def part(stack: Stack, issuer: str = "corp") -> tuple[str, str]:
    """State and reason of an issuer's keys."""
    parts: list[dict[str, Any]] = stack.status()["parts"]
    (found,) = [part for part in parts if part["part"] == f"keys of {issuer}"]
    return found["state"], found["reason"]


def metric(stack: Stack, name: str, **labels: str) -> float:
    labels = {"issuer": "corp", **labels}
    shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return stack.metrics()[f"toolgate_issuer_{name}{{{shown}}}"]


def with_key(jwks: bytes, kid: str, **changes: Any) -> bytes:
    """One key more: the provider's first, by another name."""
    keys = json.loads(jwks)["keys"]
    return json.dumps({"keys": [*keys, {**keys[0], "kid": kid, **changes}]}).encode()


def without_key(jwks: bytes, kid: str) -> bytes:
    keys = json.loads(jwks)["keys"]
    return json.dumps({"keys": [key for key in keys if key["kid"] != kid]}).encode()


# === a key that nobody knows ===


def test_the_first_token_of_a_new_key_is_accepted(provider: Provider) -> None:
    stack = provider.wire.stack
    provider.corp = provider.answer(with_key(provider.jwks, "new"))
    before = len(stack.decisions())
    new = provider.keys.sign(header(kid="new"))
    answer = provider.wire.call("knowledge", "search", token=new)
    assert answer.status == 200
    assert (provider.asked(), provider.asked("partner")) == (2, 1)
    # What was known is known, and nothing is asked again for what is known now.
    assert [provider.status(), provider.status(new)] == [200, 200]
    assert provider.asked() == 2
    # Decided twice, recorded once.
    time.sleep(0.3)
    decisions = stack.decisions()[before:]
    assert [decision["verdict"] for decision in decisions] == ["allow"] * 3
    assert metric(stack, "key_refetches_total") == 1


def test_all_who_bring_a_new_key_wait_for_one_answer(provider: Provider) -> None:
    usual = provider.answer(with_key(provider.jwks, "new"))

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        usual(handler)

    provider.corp = slowly
    new = provider.keys.sign(header(kid="new"))
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(provider.status, [new] * 20)) == [200] * 20
    assert provider.asked() == 2


def test_nonsense_costs_the_provider_a_request_now_and_then_and_good_tokens_nothing(
    provider: Provider,
) -> None:
    stack = provider.wire.stack
    nonsense = [provider.keys.sign(header(kid=f"nonsense-{n}")) for n in range(100)]
    good, slowest = provider.keys.sign(), 0.0
    before, began = len(stack.decisions()), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        refused = pool.map(provider.status, nonsense)
        for _ in range(10):
            sent = time.monotonic()
            assert provider.status(good) == 200
            slowest = max(slowest, time.monotonic() - sent)
        assert set(refused) == {401}
    intervals = int((time.monotonic() - began) / REFETCH) + 1
    assert 1 <= provider.asked() - 1 <= intervals
    assert metric(stack, "key_refetches_total") == provider.asked() - 1
    assert slowest < 1.0
    # Each is recorded, and once.
    wait_until(lambda: len(stack.decisions()) >= before + 110)
    assert len(stack.decisions()) == before + 110


def test_a_key_that_was_not_there_is_not_asked_for_again_soon(provider: Provider) -> None:
    first, second = (provider.keys.sign(header(kid=kid)) for kid in ["first", "second"])
    assert provider.status(first) == 401
    assert provider.asked() == 2
    time.sleep(REFETCH)
    assert provider.status(first) == 401
    assert provider.asked() == 2
    assert provider.status(second) == 401
    assert provider.asked() == 3
    # With a new key, the signature still has to hold.
    provider.corp = provider.answer(with_key(provider.jwks, "new"))
    time.sleep(REFETCH)
    assert provider.status(foreign(header(kid="new"))[0]) == 401
    assert provider.asked() == 4
    assert provider.status(provider.keys.sign(header(kid="new"))) == 200


def test_nobody_waits_long_for_a_provider_that_hangs(provider: Provider) -> None:
    def hang(_: BaseHTTPRequestHandler) -> None:
        time.sleep(3)

    provider.corp = hang
    new = provider.keys.sign(header(kid="new"))
    began = time.monotonic()
    assert provider.status(new) == 401
    assert 0.9 < time.monotonic() - began < 2.5
    # The others are not concerned, nor is the other issuer's new key.
    provider.partner = provider.answer(with_key(provider.jwks, "new"))
    began = time.monotonic()
    assert provider.status() == 200
    partners = provider.keys.sign(header(kid="new"), claims(iss=PARTNER))
    assert provider.status(partners) == 200
    assert time.monotonic() - began < 2.0
    assert part(provider.wire.stack, "partner")[0] == "ok"


# === keys that change, and keys that do not ===


def test_a_provider_says_that_nothing_has_changed(provider: Provider) -> None:
    stack = provider.wire.stack
    for name, value, condition in [
        ("ETag", '"v1"', "If-None-Match"),
        ("Last-Modified", "Fri, 20 Nov 2026 12:00:00 GMT", "If-Modified-Since"),
    ]:
        validator = {name.replace("-", "_"): value}
        full = provider.answer(provider.jwks, FRESH_FOR_A_MOMENT, **validator)
        same = document(b"", status=304, Cache_Control=FRESH_FOR_A_MOMENT)

        def behave(
            handler: BaseHTTPRequestHandler,
            full: Behaviour = full,
            same: Behaviour = same,
            condition: str = condition,
            value: str = value,
        ) -> None:
            (same if handler.headers[condition] == value else full)(handler)

        provider.corp = behave
        provider.status(provider.keys.sign(header(kid=f"go-{name}")))
        before = metric(stack, "key_fetches_total", result="not_modified")

        def confirmed(before: float = before) -> bool:
            return metric(stack, "key_fetches_total", result="not_modified") >= before + 5

        # Longer than keys would count if nobody confirmed them.
        wait_until(confirmed)
        assert provider.status() == 200
        assert part(stack)[0] == "ok"
        assert metric(stack, "keys_age_seconds") < 3
        time.sleep(REFETCH)


def test_a_304_that_nobody_asked_for_is_no_answer(provider: Provider) -> None:
    stack = provider.wire.stack
    provider.corp = document(b"", status=304)
    assert provider.status(provider.keys.sign(header(kid="new"))) == 401
    assert metric(stack, "key_fetches_total", result="failed") == 1
    assert metric(stack, "key_fetches_total", result="not_modified") == 0


def test_a_key_that_is_taken_back_verifies_nothing(provider: Provider) -> None:
    stack = provider.wire.stack
    es = provider.keys.sign(header(alg="ES256", kid="ec-dev"), kid="ec-dev")
    fetch_soon(provider, provider.answer(provider.jwks, FRESH_FOR_A_MOMENT))
    assert [provider.status(), provider.status(es)] == [200, 200]
    provider.corp = provider.answer(without_key(provider.jwks, "rsa-dev"), FRESH_FOR_A_MOMENT)
    wait_until(lambda: provider.status() == 401)
    assert provider.status(es) == 200
    # No key at all is a key set too.
    provider.corp = provider.answer(EMPTY, FRESH_FOR_A_MOMENT)
    wait_until(lambda: provider.status(es) == 401)
    assert part(stack) == ("degraded", "none: every token is refused")
    assert ready(stack) and provider.status(provider.partners()) == 200
    provider.corp = provider.answer(provider.jwks, FRESH_FOR_A_MOMENT)
    wait_until(lambda: provider.status() == 200)


def test_a_published_private_key_is_left_out_and_cried_out_about(provider: Provider) -> None:
    stack = provider.wire.stack
    assert metric(stack, "keys_left_out", reason="private") == 0
    provider.corp = provider.answer(with_key(provider.jwks, "oops", d="AAAA"))
    assert provider.status(provider.keys.sign(header(kid="oops"))) == 401
    assert metric(stack, "keys_left_out", reason="private") == 1
    log = stack.processes["toolgate"].log.read_text()
    assert '"a private key is published' in log
    assert provider.status() == 200


def fetch_soon(provider: Provider, behaviour: Behaviour) -> None:
    """The next answer, by way of a key that nobody knows, and those behind it."""
    before = provider.asked()
    provider.corp = behaviour
    assert provider.status(provider.keys.sign(header(kid="nobody's"))) == 401
    assert provider.asked() > before


# === a provider in trouble ===

TROUBLE: dict[str, Callable[[bytes], Behaviour]] = {
    "a page": lambda _: document(b"<html>Sign in</html>", content_type="text/html"),
    "an error": lambda good: document(good, status=500),
    "a redirect": lambda good: document(good, status=302, Location="/partner"),
    "byte by byte": dripping,
    "too much": lambda good: streamed(padded(good, 64 * LARGEST)),
    "compressed": lambda good: document(gzip.compress(good), Content_Encoding="gzip"),
    "nothing at all": lambda _: lambda handler: handler.connection.close(),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_good_keys_count_for_a_while_and_not_for_ever(provider: Provider, trouble: str) -> None:
    stack = provider.wire.stack
    fetch_soon(provider, provider.answer(provider.jwks, "no-store"))
    provider.corp = TROUBLE[trouble](provider.jwks)
    began = time.monotonic()
    wait_until(lambda: provider.status() == 503)
    # Fresh for one, good for three more.
    assert 2 < time.monotonic() - began < 8
    answer = provider.wire.call("knowledge", "search", token=provider.keys.sign())
    assert answer.json()["error"] == "unavailable"
    assert dict(answer.headers)["retry-after"].isdigit()
    state, reason = part(stack)
    assert state == "down" and reason.startswith("stale, fetched ")
    assert answers(stack.ports["toolgate"], "/readyz", status=503)
    # Nonsense is as unavailable as everything else of this issuer, and asks nobody.
    assert provider.status(provider.keys.sign(header(kid="nonsense"))) == 503
    # The other issuer is well.
    assert provider.status(provider.partners()) == 200
    assert part(stack, "partner")[0] == "ok"
    provider.corp = provider.answer(provider.jwks)
    wait_until(lambda: provider.status() == 200, 30)
    assert ready(stack)


def test_keys_that_are_old_and_good_are_said_to_be(provider: Provider) -> None:
    stack = provider.wire.stack
    fetch_soon(provider, provider.answer(provider.jwks, "no-store"))
    provider.corp = document(b"", status=500)
    wait_until(lambda: part(stack)[0] == "degraded")
    assert part(stack)[1].endswith("/corp answers 500")
    assert provider.status() == 200
