"""Providers go away while requests run, and come back: who has a token notices nothing."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from gateway import REFETCH_SECONDS
from process import Process
from providers import Provider
from stack import Stack, answers
from traffic import Purse, Traffic
from wire import Wire

SHORT = bool(os.environ.get("SHORT"))
SECONDS, RATE = (8.0, 50.0) if SHORT else (60.0, 100.0)

Outage = Callable[[Process], AbstractContextManager[None]]


@contextmanager
def killed(process: Process) -> Iterator[None]:
    """Nobody listens."""
    process.kill()
    try:
        yield
    finally:
        process.start()


@contextmanager
def paused(process: Process) -> Iterator[None]:
    """Connections are taken, and nothing is ever said."""
    process.pause()
    try:
        yield
    finally:
        process.resume()


# How each of the providers goes away.
OUTAGES: dict[str, dict[str, Outage]] = {
    "one hangs and one is gone": {"corp": paused, "partner": killed},
    "the other way round": {"corp": killed, "partner": paused},
}


@pytest.mark.parametrize("how", list(OUTAGES)[:1] if SHORT else OUTAGES)
def test_nobody_notices_that_the_providers_are_away(
    stack: Stack, providers: dict[str, Provider], wire: Wire, how: str
) -> None:
    purses = {name: Purse(provider) for name, provider in providers.items()}
    time.sleep(REFETCH_SECONDS + 1)
    # Forged tokens name keys that nobody knows, so that the providers are asked, too.
    with Traffic(stack, purses, RATE, flood=1) as traffic:
        with ExitStack() as outages:
            for name, provider in providers.items():
                outages.enter_context(OUTAGES[how][name](provider.process))
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                assert answers(stack.ports["toolgate"], "/readyz")
                time.sleep(0.25)
        # Back they are, with the keys that they had.
        for purse in purses.values():
            purse.refill()
        time.sleep(1)
        outcome = traffic.stop()
    print(f"{outcome.calls} calls, of those with good tokens by key: {dict(outcome.by_key)}")
    outcome.check()
    assert outcome.calls > SECONDS * RATE / 2
    # A key that signs for the first time after the outage is good at its first try.
    time.sleep(REFETCH_SECONDS + 1)
    for name, provider in providers.items():
        before = provider.rotate()
        assert wire.call(token=provider.machine("reporter")).status == 200, name
        provider.withdraw(before)


def test_who_starts_without_a_provider_refuses_its_people_only(
    stack: Stack, providers: dict[str, Provider], wire: Wire
) -> None:
    tokens = {name: provider.machine("reporter") for name, provider in providers.items()}
    toolgate = stack.processes["toolgate"]

    def status(name: str) -> int:
        return wire.call(token=tokens[name]).status

    with paused(providers["corp"].process):
        toolgate.stop()
        toolgate.start(lambda: answers(stack.ports["toolgate"], "/livez"))
        toolgate.wait_until(lambda: status("partner") == 200, "knows nobody")
        assert status("corp") == 503
        assert answers(stack.ports["toolgate"], "/readyz", status=503)
    toolgate.wait_until(lambda: answers(stack.ports["toolgate"], "/readyz"), "did not recover")
    assert status("corp") == 200
