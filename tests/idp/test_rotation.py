"""Keys change while requests run: no good token is refused, no other one accepted, and the
providers are asked for their keys no more often than is said."""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from gateway import REFETCH_SECONDS
from providers import Provider
from stack import Stack
from traffic import Outcome, Purse, Traffic, unknown_key
from wire import Wire

SHORT = bool(os.environ.get("SHORT"))
CALLS, RATE = (2_000, 100.0) if SHORT else (10_000, 200.0)

# A provider that says `no-cache` is asked again after a minute at the earliest: after 80 % of it,
# give or take a tenth.
REFRESH_SECONDS = 60 * 0.8 * 0.9


@pytest.fixture
def purses(stack: Stack, providers: dict[str, Provider]) -> dict[str, Purse]:
    # Whatever was asked for by the test before may be asked for again.
    time.sleep(REFETCH_SECONDS + 1)
    return {name: Purse(provider) for name, provider in providers.items()}


@contextmanager
def minting(purses: dict[str, Purse]) -> Iterator[None]:
    with ExitStack() as stack:
        for purse in purses.values():
            stack.enter_context(purse.minting())
        yield


class Fetches:
    """How often each provider is asked for its keys from now on, and how often it may be."""

    def __init__(self, purses: dict[str, Purse]) -> None:
        self._providers = {name: purse.provider for name, purse in purses.items()}
        self._before = self._counts()
        self._began = time.monotonic()

    def counts(self) -> dict[str, int]:
        return {name: count - self._before[name] for name, count in self._counts().items()}

    def check(self, because_of_unknown: Callable[[float], int]) -> None:
        """`because_of_unknown` keys there may be so many in these seconds; and beside them there
        is the refresh that needs no reason."""
        seconds = time.monotonic() - self._began
        bound = because_of_unknown(seconds) + 1 + math.floor(seconds / REFRESH_SECONDS)
        counts = self.counts()
        print(f"fetches in {seconds:.0f} s: {counts}, at most {bound}")
        assert all(count <= bound for count in counts.values()), (counts, bound)

    def _counts(self) -> dict[str, int]:
        return {name: provider.fetches() for name, provider in self._providers.items()}


def report(outcome: Outcome) -> None:
    print(f"{outcome.calls} calls, good tokens by key: {dict(outcome.by_key)}")
    outcome.check()


def test_keys_that_sign_at_once_are_good_at_once(
    stack: Stack, purses: dict[str, Purse], wire: Wire
) -> None:
    """Twice, a new key signs as soon as it is published, and the one before is withdrawn once
    nobody holds a token of it."""
    fetches = Fetches(purses)
    withdrawn: dict[str, list[str]] = {name: [] for name in purses}
    with minting(purses), Traffic(stack, purses, RATE) as traffic:
        for _ in range(2):
            traffic.until(traffic.count() + CALLS // 5)
            before = {name: purse.provider.rotate() for name, purse in purses.items()}
            traffic.until(traffic.count() + CALLS // 5)
            for name, purse in purses.items():
                last = purse.pick_of(before[name])
                purse.refill()
                assert purse.kids().isdisjoint({before[name]})
                purse.provider.withdraw(before[name])
                withdrawn[name].append(last)
        traffic.until(max(CALLS, traffic.count() + CALLS // 10))
        outcome = traffic.stop()
    report(outcome)
    assert len(outcome.by_key) == 3 * len(purses)  # each of the keys has signed something
    # One for each of the two new keys: to find the signature wrong, no key is missing.
    fetches.check(lambda _: 2)
    # Whatever makes Toolgate look again, it forgets what was withdrawn.
    time.sleep(REFETCH_SECONDS + 1)
    for name, purse in purses.items():
        assert wire.call(token=unknown_key(purse.pick())).status == 401

        def are_forgotten(tokens: list[str] = withdrawn[name]) -> bool:
            return [wire.call(token=token).status for token in tokens] == [401, 401]

        stack.processes["toolgate"].wait_until(are_forgotten, "did not forget keys")
        assert wire.call(token=purse.pick()).status == 200


def test_keys_that_nobody_has_do_not_make_toolgate_a_nuisance(
    stack: Stack, purses: dict[str, Purse]
) -> None:
    """Forged tokens name keys that do not exist, all the time. A provider that publishes a key
    before it signs loses nothing by it."""
    fetches = Fetches(purses)
    providers = {name: purse.provider for name, purse in purses.items()}
    with minting(purses), Traffic(stack, purses, RATE, flood=8) as traffic:
        time.sleep(1)
        before = {name: provider.signing() for name, provider in providers.items()}
        new = {name: provider.publish() for name, provider in providers.items()}
        seen = fetches.counts()
        deadline = time.monotonic() + 4 * REFETCH_SECONDS
        while any(count <= seen[name] for name, count in fetches.counts().items()):
            assert time.monotonic() < deadline, "nobody asked for the new key"
            time.sleep(0.1)
        time.sleep(1)  # for the answer
        for name, provider in providers.items():
            provider.sign_with(new[name])
        time.sleep(2 * REFETCH_SECONDS)
        outcome = traffic.stop()
    report(outcome)
    for name, provider in providers.items():
        assert outcome.by_key[new[name]] > 0
        provider.withdraw(before[name])
    fetches.check(lambda seconds: 1 + math.floor(seconds / REFETCH_SECONDS))
