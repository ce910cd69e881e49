"""What is written down: every decision, and no secret."""

import json
from typing import Any

from bad.row import META, MODERN_CALL, rpc, tool
from test_bad_requests import MODERN_HEADERS
from wire import Wire


def decision(wire: Wire, decision_id: str) -> dict[str, Any]:
    """The one record of a decision; it is written a moment after the answer."""
    return wire.stack.decision(decision_id)


def test_a_decision_is_found_by_the_id_that_the_server_was_told(wire: Wire) -> None:
    before = wire.stack.mark()
    assert wire.send("/presto/mcp", MODERN_CALL, headers=MODERN_HEADERS).status == 200
    (record,) = wire.stack.records(before)
    entry = decision(wire, record.header("x-toolgate-decision-id")[0])
    expected = {
        "verdict": "allow",
        "server": "presto",
        "environment": "prod",
        "workload": "spiffe://prod.example.com/ns/ai-chat/sa/webapp",
        "surface": "ai-chat",
        "method": "tools/call",
        "tool": "list_tables",
    }
    assert expected.items() <= entry.items()
    assert entry["user"] == {
        "issuer": "corp",
        "subject": "alice",
        "client": "dev-client",
        "groups": ["ads"],
        "groups_known": True,
    }
    assert entry["rule"]["name"] == "analysts-query"
    assert entry["rule"]["file"] == "servers/presto.yaml"
    assert len(entry["arguments"]["digest"]) == 64 and len(entry["policy"]) == 64


def test_a_refusal_is_found_by_the_id_that_the_client_was_told(wire: Wire) -> None:
    headers = [*MODERN_HEADERS[:2], ("Mcp-Name", "get_revenue_metrics")]
    answer = wire.send(
        "/presto/mcp", tool("get_revenue_metrics", _meta=META), headers=headers, person="carl"
    )
    entry = decision(wire, answer.header("x-toolgate-decision-id") or "")
    expected = {"verdict": "refuse", "enforced": "refuse", "reason": "banned"}
    assert expected.items() <= entry.items()
    assert entry["user"]["subject"] == "carl"
    assert "contractors" in entry["rule"]["name"]


def test_names_that_nobody_reviewed_are_not_written_down(wire: Wire) -> None:
    answer = wire.send("/presto/mcp", tool("mallory\n\x1b[31m"))
    assert decision(wire, answer.header("x-toolgate-decision-id") or "")["tool"] == "other"
    answer = wire.send("/presto/mcp", rpc("mallory\n\x1b[31m" + "é" * 2000))
    entry = decision(wire, answer.header("x-toolgate-decision-id") or "")
    assert len(entry["method"].encode()) <= 256
    assert "\n" not in entry["method"] and "\x1b" not in entry["method"]


def test_no_log_holds_a_token(wire: Wire) -> None:
    token = wire.token("alice")
    bad = token[:-8] + "AAAAAAAA"
    wire.send("/presto/mcp", MODERN_CALL, headers=MODERN_HEADERS)
    headers = [*MODERN_HEADERS, ("Authorization", f"Bearer {bad}")]
    wire.send("/presto/mcp", MODERN_CALL, headers=headers, person=None)
    wire.send(f"/presto/mcp?access_token={token}", MODERN_CALL)
    wire.send(f"/{token}/mcp", MODERN_CALL)
    for name in ["toolgate", "envoy", "servers"]:
        log = (wire.stack.run / f"{name}.log").read_text()
        assert token.split(".")[2][:40] not in log, name


def test_envoys_log_tells_the_same_decision(wire: Wire) -> None:
    answer = wire.send("/spark/mcp", tool("list_applications"))
    decision_id = answer.header("x-toolgate-decision-id") or ""
    log = wire.stack.run / "envoy.log"
    wire.stack.processes["envoy"].wait_until(
        lambda: decision_id in log.read_text(), "did not log a decision"
    )
    (line,) = [line for line in log.read_text().splitlines() if decision_id in line]
    entry = json.loads(line)
    assert entry["toolgate"]["reason"] == "no_grant" and entry["status"] == 403
