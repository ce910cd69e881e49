"""Envoy and Toolgate, which take their users from two providers at once."""

import re
from collections.abc import Sequence
from pathlib import Path

from providers import RESOURCE, Provider
from stack import Stack
from test_issuers import prefix_groups
from workspace import REPOSITORY

REFETCH_SECONDS = 5  # between two fetches because of keys that are not known


def gateway(providers: Sequence[Provider]) -> Stack:
    """The samples, but the issuers are `providers`, and so are the groups."""

    def edit(work: Path) -> None:
        config = work / "envoy/toolgate.yaml"
        issuers = "issuers:\n" + "".join(map(issuer, providers)) + "\nworkloads:"
        text, found = re.subn(r"issuers:\n.*?\nworkloads:", issuers, config.read_text(), flags=re.S)
        assert found == 1
        config.write_text(text)
        change_policies(work / "policies")

    return Stack(REPOSITORY / "target/idp/stack", edit=edit)


def issuer(provider: Provider) -> str:
    return f"""
  {provider.name}:
    {provider.configured}
    issuer: {provider.issuer}
    audiences: ["{RESOURCE}"]
    {keys(provider)}
    group_prefix: "{provider.name}:"
"""


def keys(provider: Provider) -> str:
    return f"""keys:
      discovery: {provider.discovery}
      ca: {provider.ca}
      refetch_seconds: {REFETCH_SECONDS}"""


def change_policies(policies: Path) -> None:
    """Corp's and the partner's `ads` may query, and no contractor may read pages."""
    prefix_groups(policies, ["partner:ads", "partner:contractors"])
    presto = policies / "servers/presto.yaml"
    text = presto.read_text()
    before = '"corp:finance", "corp:infra"]'
    assert before in text
    presto.write_text(text.replace(before, '"corp:finance", "corp:infra", "partner:ads"]'))
    contractors = '["corp:contractors", "partner:contractors"]'
    with (policies / "servers/knowledge.yaml").open("a") as file:
        file.write(f"\nbans:\n  pages: {{ people: {contractors}, call: [read_page] }}\n")
