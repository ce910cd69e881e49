"""Policies as Envoy's callers feel them: a review that has ended, the kill switch, a shadow, and a
surface that opens a connection before anybody signs in."""

import json
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
    spark = work / "policies/servers/spark.yaml"
    text = spark.read_text()
    shadow = "GENAI-55], mode: { shadow_until: 2999-01-01T00:00:00Z } }"
    opening = "discovery: { without_user: [chat-bot] }"
    text = text.replace("GENAI-55] }", shadow).replace("\ntools:", f"\n{opening}\n\ntools:")
    spark.write_text(text)


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


def test_a_shadow_lets_through_what_nobody_granted(edited: Wire) -> None:
    # `alice` may do this from the support channel only.
    before = edited.stack.mark()
    assert call(edited, "spark", "explain_failure", "alice", "ai-chat").status == 200
    assert [record.server for record in edited.stack.records(before)] == ["spark"]
    # Nothing that cannot be undone.
    refused = call(edited, "spark", "kill_application", "alice", "ai-chat")
    assert refused.json()["error"]["data"]["reason"] == "no_grant"


def test_a_connection_opens_before_anybody_signs_in(edited: Wire) -> None:
    def post(method: str, channel: str) -> int:
        client = {"name": "test", "version": "1"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = [("x-toolgate-channel", channel)]
        sent = edited.send(
            "/spark/mcp", body.encode(), headers=headers, person=None, place="chat-bot"
        )
        return sent.status

    assert post("initialize", "C07SPARK1") == 200
    assert post("initialize", "C0ELSEWHERE") == 403
    assert post("tools/list", "C07SPARK1") == 401


def test_other_servers_do_not_notice(edited: Wire) -> None:
    assert call(edited, "knowledge", "search", "alice", "ai-chat").status == 200
    assert edited.stack.records()[-1].server == "knowledge"
