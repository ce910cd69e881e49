"""Both providers, and one stack that knows both, for all tests; `bootstrap` and
`cargo build --bins --examples` come first."""

import shutil
from collections.abc import Iterator

import pytest

from authority import Authority
from gateway import gateway
from providers import Keycloak, OidcProvider, Provider
from stack import Stack
from wire import Wire
from workspace import REPOSITORY, choose_ports


@pytest.fixture(scope="session")
def providers() -> Iterator[dict[str, Provider]]:
    """By the name of their issuer."""
    run = REPOSITORY / "target/idp/providers"
    shutil.rmtree(run, ignore_errors=True)
    authority = Authority(run / "ca")
    first, second, third, *_ = choose_ports(fixed=False).values()
    corp = Keycloak(run / "keycloak", authority, first)
    partner = OidcProvider(run / "oidc-provider", authority, (second, third))
    try:
        partner.start()
        corp.start()
        yield {corp.name: corp, partner.name: partner}
    finally:
        corp.process.stop()
        partner.process.stop()


@pytest.fixture(scope="session")
def stack(providers: dict[str, Provider]) -> Iterator[Stack]:
    with gateway(list(providers.values())) as running:
        yield running


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Wire:
    return Wire(stack)
