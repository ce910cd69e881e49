"""Whose signatures count: keys come from exactly where they are configured, and what is no key set
changes nothing."""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import raw
from jose import Keys, claims, foreign, header
from key_server import (
    Behaviour,
    cut_off,
    document,
    dripping,
    key_server,
    padded,
    streamed,
    wait_until,
)
from stack import Stack, answers
from test_issuers import prefix_groups
from wire import Wire
from workspace import REPOSITORY

LARGEST = 256 * 1024

EMPTY = b'{"keys": []}'


# === a URL ===


@pytest.fixture(scope="module")
def by_url() -> Iterator[Wire]:
    """To a stack whose keys come from a port where nobody listens yet."""

    def edit(_: Path) -> None:
        url = f"http://127.0.0.1:{stack.ports['spare']}/jwks.json"
        text = stack.config.read_text()
        stack.config.write_text(re.sub(r"keys: \{.*\}", f'keys: {{ url: "{url}" }}', text))

    stack = Stack(REPOSITORY / "target/e2e/keys-url", edit=edit, ready="/livez")
    with stack:
        yield Wire(stack)


@pytest.fixture
def good(by_url: Wire) -> bytes:
    return (by_url.stack.run / "identity/jwks.json").read_bytes()


def restart(stack: Stack) -> None:
    with stack.stopped("toolgate"):
        pass


def is_ready(stack: Stack) -> bool:
    return answers(stack.ports["toolgate"], "/readyz")


def is_unready(stack: Stack) -> bool:
    return answers(stack.ports["toolgate"], "/readyz", status=503)


def check_unavailable(wire: Wire) -> None:
    before = wire.stack.mark()
    answer = wire.call()
    assert (answer.status, answer.json()["error"]) == (503, "unavailable")
    assert is_unready(wire.stack)
    assert wire.stack.records(before) == []


def test_until_keys_are_known_nobody_is_signed_in(by_url: Wire, good: bytes) -> None:
    stack = by_url.stack
    restart(stack)
    check_unavailable(by_url)
    assert answers(stack.ports["toolgate"], "/livez")
    # A service needs no issuer, and nonsense is nonsense whatever the keys.
    assert by_url.call(person=None, place="nightly").status == 200
    assert by_url.call(token="nonsense").status == 401
    with key_server(stack.ports["spare"], document(good)) as server:
        wait_until(lambda: is_ready(stack))
        assert by_url.call().status == 200
        assert server.asked == ["/jwks.json"]
    # The provider's absence is not felt while the keys are good.
    assert by_url.call().status == 200 and is_ready(stack)


def test_a_signature_that_does_not_hold_makes_nobody_ask_for_keys(
    by_url: Wire, good: bytes
) -> None:
    stack = by_url.stack
    with key_server(stack.ports["spare"], document(good)) as server:
        restart(stack)
        wait_until(lambda: is_ready(stack))
        keys = Keys(stack.run / "identity")
        forged = foreign()[0]
        # Nor does a key that is known and does not fit, or none.
        unfit = keys.sign(header(kid="ec-dev"))
        unnamed = keys.sign(header(kid=...))
        # Nor one of an issuer that is not configured, or a token that is no longer valid.
        elsewhere = keys.sign(header(kid="new"), claims(iss="https://elsewhere.example"))
        over = keys.sign(header(kid="new"), claims(exp=1))
        for token in [forged, unfit, unnamed, elsewhere, over]:
            answer = by_url.call(token=token)
            assert (answer.status, answer.json()["error"]) == (401, "token_invalid")
        assert by_url.call(token=keys.sign()).status == 200
        assert server.asked == ["/jwks.json"]


def test_redirects_are_not_followed(by_url: Wire, good: bytes) -> None:
    stack = by_url.stack
    with key_server(0, document(good)) as target:
        other = f"http://127.0.0.1:{target.http.server_port}/jwks.json"

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            status, location = [(302, other), (307, "/other.json")][len(server.asked) % 2]
            handler.send_response(status)
            handler.send_header("Location", location)
            handler.send_header("Content-Length", str(len(good)))
            handler.end_headers()
            handler.wfile.write(good)

        with key_server(stack.ports["spare"], redirect) as server:
            restart(stack)
            wait_until(lambda: len(server.asked) == 2)
            check_unavailable(by_url)
            assert set(server.asked) == {"/jwks.json"} and target.asked == []


NOT_KEY_SETS: dict[str, Callable[[bytes], Behaviour]] = {
    "too-large": lambda good: document(padded(good, LARGEST + 1)),
    "too-large-and-streamed": lambda good: streamed(padded(good, LARGEST + 1)),
    "endless": lambda good: streamed(padded(good, 64 * LARGEST)),
    "slow": dripping,
    "cut-off": cut_off,
    "an-error": lambda good: document(good, status=500),
    "part-of-it": lambda good: document(good, status=206),
    "a-page": lambda _: document(b"<html>Sign in</html>", content_type="text/html"),
    "compressed": lambda good: document(gzip.compress(good), Content_Encoding="gzip"),
    "said-to-be-compressed": lambda good: document(good, Content_Encoding="br"),
    "twice": lambda good: document(good + good),
    "keys-twice": lambda good: document(good.replace(b"{", b'{"keys": [],', 1)),
    "a-list": lambda _: document(b"[]"),
    "nothing": lambda _: document(b""),
}


@contextmanager
def an_issuer_for_each(stack: Stack, names: Iterable[str]) -> Iterator[None]:
    """Beside `corp`, issuers with keys at `/NAME`."""
    before = stack.config.read_text()
    port = stack.ports["spare"]
    more = "".join(
        f"""
  {name}:
    issuer: https://{name}.example.com
    audiences: ["https://mcp.example.com"]
    keys: {{ url: "http://127.0.0.1:{port}/{name}" }}
    algorithms: [RS256]
    group_prefix: "{name}:"
"""
        for name in names
    )
    text = before.replace("  corp:\n", '  corp:\n    group_prefix: "corp:"\n')
    stack.config.write_text(text.replace("\nworkloads:", f"{more}\nworkloads:"))
    policies, kept = stack.work / "policies", stack.work / "policies.kept"
    shutil.copytree(policies, kept)
    prefix_groups(policies)
    try:
        yield
    finally:
        stack.config.write_text(before)
        shutil.rmtree(policies)
        kept.rename(policies)


def test_what_is_no_key_set_makes_nobody_ready(by_url: Wire, good: bytes) -> None:
    stack = by_url.stack
    behaviours = {name: behaviour(good) for name, behaviour in NOT_KEY_SETS.items()}
    usual = document(good)

    def behave(handler: BaseHTTPRequestHandler) -> None:
        behaviours.get(handler.path[1:], usual)(handler)

    with (
        an_issuer_for_each(stack, behaviours),
        key_server(stack.ports["spare"], behave) as server,
    ):
        restart(stack)
        # That it is asked again says that the first answer was looked at, and given up.
        wait_until(lambda: all(server.asked.count(f"/{name}") >= 2 for name in behaviours))
        assert missing(stack) == set(behaviours)
        keys = Keys(stack.run / "identity")
        for name in behaviours:
            token = keys.sign(payload=claims(iss=f"https://{name}.example.com"))
            assert by_url.call("knowledge", "search", token=token).status == 503, name
        # One issuer's trouble is not another's.
        assert by_url.call("knowledge", "search").status == 200


def missing(stack: Stack) -> set[str]:
    """Whose keys are not known."""
    answer = raw.exchange(stack.ports["toolgate"], raw.request("GET", "/readyz"))
    assert answer.status == 503
    names = re.findall(r"^down +keys of (.*): not known yet", answer.body.decode(), re.MULTILINE)
    return set(names)


def test_the_largest_key_set_is_taken_as_soon_as_there_is_one(by_url: Wire, good: bytes) -> None:
    stack = by_url.stack
    with key_server(stack.ports["spare"], document(b"", status=503)) as server:
        restart(stack)
        wait_until(lambda: len(server.asked) > 0)
        assert is_unready(stack)
        server.behaviour = streamed(padded(good, LARGEST))
        wait_until(lambda: is_ready(stack))
        assert by_url.call().status == 200


# === a file ===


@pytest.fixture(scope="module")
def by_file() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/keys-file", ready="/livez") as stack:
        wait_until(lambda: is_ready(stack))
        yield Wire(stack)


def other_keys(stack: Stack) -> tuple[Keys, bytes]:
    """Another issuer's keys, of the same names."""
    directory = stack.run / "other"
    stack.identity("token", "--keys", str(directory), "--sub", "x")
    return Keys(directory), (directory / "jwks.json").read_bytes()


def replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


def status(wire: Wire, keys: Keys) -> int:
    return wire.call(token=keys.sign()).status


def test_a_key_file_that_is_replaced_replaces_the_keys(by_file: Wire) -> None:
    stack = by_file.stack
    file = stack.run / "identity/jwks.json"
    old, (new, set_of_new) = Keys(file.parent), other_keys(stack)
    set_of_old = file.read_bytes()
    assert (status(by_file, old), status(by_file, new)) == (200, 401)
    replace(file, set_of_new)
    wait_until(lambda: status(by_file, new) == 200)
    assert status(by_file, old) == 401
    # No key at all is a key set too: it revokes.
    replace(file, EMPTY)
    wait_until(lambda: status(by_file, new) == 401)
    assert status(by_file, old) == 401
    # For the next test, at once.
    replace(file, set_of_old)
    restart(stack)
    wait_until(lambda: status(by_file, old) == 200)


BROKEN: dict[str, bytes | None] = {
    "not JSON": b"{",
    "too large": padded(EMPTY, LARGEST + 1),
    "gone": None,
}


def test_a_broken_key_file_changes_nothing(by_file: Wire) -> None:
    stack = by_file.stack
    file = stack.run / "identity/jwks.json"
    good = file.read_bytes()
    log = stack.processes["toolgate"].log

    def complain_about(content: bytes | None) -> None:
        before = log.read_text().count("keys cannot be read")
        if content is None:
            file.unlink()
        else:
            replace(file, content)
        wait_until(lambda: log.read_text().count("keys cannot be read") > before)

    for name, content in BROKEN.items():
        complain_about(content)
        assert by_file.call().status == 200 and is_ready(stack), name
    # But a Toolgate that starts on it knows nobody, until the file is there.
    restart(stack)
    check_unavailable(by_file)
    replace(file, good)
    wait_until(lambda: is_ready(stack))
    assert by_file.call().status == 200
