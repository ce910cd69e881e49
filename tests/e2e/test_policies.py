"""Policies as Envoy's callers feel them: a review that has ended, and the kill switch."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bad.row import META, tool
from raw import Answer
from stack import Stack
from wire import Wire
from workspace import REPOSITORY


def edit(work: Path) -> None:
    """Ends a review of airflow, and switches presto off."""
    reviews = work / "policies/reviews.yaml"
    text = reviews.read_text()
    ended = re.sub(r"(SEC-1431:.*?last_day: )\S+", r"\g<1>2026-06-30", text, flags=re.DOTALL)
    reviews.write_text(ended)
    guardrails = work / "policies/guardrails.yaml"
    text = guardrails.read_text()
    guardrails.write_text(text.replace("  # incident-4711:", "  incident-4711:"))


@pytest.fixture(scope="module")
def edited() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/policies", edit=edit) as stack:
        yield Wire(stack)


def call(wire: Wire, server: str, name: str, person: str, place: str) -> Answer:
    headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", name),
    ]
    body = tool(name, arguments={"query": "x"}, _meta=META)
    return wire.send(f"/{server}/mcp", body, headers=headers, person=person, place=place)


def test_without_reviews_nothing_passes(edited: Wire) -> None:
    answer = call(edited, "airflow", "list_dags", "kim", "ide")
    assert (answer.status, answer.json()["error"]) == (403, "review")


def test_the_kill_switch_stops_a_server_everywhere(edited: Wire) -> None:
    for server, place in [("presto", "ai-chat"), ("presto@staging", "ide")]:
        answer = call(edited, server, "list_tables", "erin", place)
        assert (answer.status, answer.json()["error"]) == (403, "banned")


def test_other_servers_do_not_notice(edited: Wire) -> None:
    assert call(edited, "knowledge", "search", "alice", "ai-chat").status == 200
    assert edited.stack.records()[-1].server == "knowledge"
