"""Methods beside calls, shapes of refusals, and violations of the protocol that are put up with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bad.row import META, MODERN, REFUSED, rpc, tool
from raw import Answer, Header
from stack import Stack
from wire import Wire
from workspace import REPOSITORY

SWITCHES = "compatibility: [null-params, array-params, discover-without-mirrors]\n"
SECRET = "get_revenue_metrics"


def edit(work: Path) -> None:
    for name, keys in [
        ("presto", "refusal: result\nmethods: [vendor/ask]\ntasks: bound_to_user\n"),
        ("knowledge", "refusal: http\n"),
    ]:
        server = work / f"policies/servers/{name}.yaml"
        text = server.read_text()
        server.write_text(text.replace("\ntools:", f"\n{keys}\ntools:", 1))
    config = work / "envoy/toolgate.yaml"
    config.write_text(config.read_text() + SWITCHES)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Stack(REPOSITORY / "target/e2e/protocol", edit=edit) as stack:
        yield Wire(stack)


def modern(method: str, name: str | None = None) -> list[Header]:
    headers = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", method)]
    return [*headers, ("Mcp-Name", name)] if name is not None else headers


def reached(wire: Wire, body: bytes, headers: list[Header] | None = None, **how: Any) -> tuple[Answer, bool]:
    """The answer, and whether it is the server's."""
    before = wire.stack.mark()
    answer = wire.send("/presto/mcp", body, headers=headers or [], **how)
    return answer, bool(wire.stack.records(before))


def test_a_refused_call_is_a_result_that_a_model_reads(wire: Wire) -> None:
    for headers, meta in [([], {}), (modern("tools/call", SECRET), {"_meta": META})]:
        answer, passed = reached(wire, tool(SECRET, **meta), headers)
        result = answer.json()["result"]
        assert (answer.status, passed, result["isError"]) == (200, False, True)
        assert result.get("resultType") == ("complete" if meta else None)
        assert f"presto/{SECRET}" in result["content"][0]["text"]
        assert result["_meta"]["toolgate/refusal"]["reason"] == "no_grant"
    # What is no call has no result.
    answer, _ = reached(wire, rpc("prompts/get", {"name": "x"}))
    assert (answer.status, answer.json()["error"]["code"]) == (200, REFUSED)


def test_or_an_http_status(wire: Wire) -> None:
    answer = wire.send("/knowledge/mcp", tool("nothing"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, REFUSED)
    assert answer.header("www-authenticate") is None


def test_the_id_is_echoed_as_it_came(wire: Wire) -> None:
    for identifier in ["-9007199254740993", r'"a\u0062\"\/c"']:
        body = b'{"jsonrpc":"2.0","id":%b,"method":"tools/call","params":{"name":"%b"}}'
        sent = body % (identifier.encode(), SECRET.encode())
        answer, _ = reached(wire, sent)
        assert f'"id":{identifier},'.encode() in answer.body


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (rpc("logging/setLevel", {"level": "debug"}), []),
        (rpc("tasks/get", {"taskId": "t"}), []),
        (rpc("tasks/get", {"taskId": "t", "_meta": META}), modern("tasks/get", "t")),
        (tool("list_tables", task={}), []),
        (rpc("vendor/ask", {"name": "x"}), []),
        (rpc("vendor/ask", {"name": "x", "_meta": META}), modern("vendor/ask")),
        (rpc("vendor/ask", {"name": "x", "_meta": META}), modern("vendor/ask", "x")),
        (
            rpc("subscriptions/listen", {"notifications": {"toolsListChanged": True}, "_meta": META}),
            modern("subscriptions/listen"),
        ),
    ],
)
def test_what_the_file_lets_through_reaches_the_server(
    wire: Wire, body: bytes, headers: list[Header]
) -> None:
    # What the server says to it is its own affair.
    assert reached(wire, body, headers)[1]
    # Not for a service, and not without signing in.
    alone, passed = reached(wire, body, headers, person=None)
    assert (alone.status, passed) == (401, False)


def test_a_session_means_nothing_in_the_newer_era(wire: Wire) -> None:
    before = wire.stack.mark()
    assert wire.call(headers=[("Mcp-Session-Id", "s")]).status == 200
    (record,) = wire.stack.records(before)
    assert record.header("mcp-session-id") == []


def test_known_violations_are_put_up_with_and_counted(wire: Wire) -> None:
    null = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}'
    array = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}'
    discover = rpc("server/discover", {"_meta": META})
    for body in (null, array, discover):
        assert reached(wire, body)[1], body
    # None of them lets anything else by.
    for body, headers in [
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}', []),
        (discover, [("Mcp-Method", "tools/call")]),
        (rpc("tools/list", {"_meta": META}), []),
    ]:
        answer, passed = reached(wire, body, headers)
        assert (answer.status, passed) == (400, False), body
    metrics = wire.stack.metrics()
    for switch in ("null-params", "array-params", "discover-without-mirrors"):
        assert metrics[f'toolgate_compatibility_total{{switch="{switch}"}}'] == 1
    details = [decision.get("detail") for decision in wire.stack.decisions()]
    assert "compatibility: null-params" in details


def test_an_unknown_revision_is_told_what_is_known(wire: Wire) -> None:
    answer, _ = reached(wire, tool("list_tables"), [("MCP-Protocol-Version", "2099-01-01")])
    data = answer.json()["error"]["data"]
    assert (answer.status, data["requested"]) == (400, "2099-01-01")
    assert data["supported"][-1] == MODERN
    assert json.loads(answer.body)["id"] == 1
