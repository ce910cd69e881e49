"""Whatever is not exactly a request that may pass is refused, and no server ever sees it."""

import pytest

from bad import BAD_REQUESTS
from bad.row import CALL, META, MODERN_CALL, Bad, tool
from raw import Answer
from story import reason_of
from wire import Wire

MODERN_HEADERS = [
    ("MCP-Protocol-Version", "2026-07-28"),
    ("Mcp-Method", "tools/call"),
    ("Mcp-Name", "list_tables"),
]


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused(wire: Wire, bad: Bad) -> None:
    before = wire.stack.mark()
    answer = wire.send(
        bad.target,
        bad.body,
        method=bad.method,
        headers=bad.headers,
        without=bad.without,
        person=bad.person,
        place=bad.place,
        last=bad.wire,
    )
    assert wire.stack.records(before) == []
    assert (answer.status, reason_of(answer.json())) == (bad.status, bad.reason), answer
    if bad.reason is None:
        return
    check_refusal(answer, bad.target, bad.reason)
    if bad.code is not None:
        rpc = answer.json()
        assert (rpc["jsonrpc"], rpc["error"]["code"], rpc["id"]) == ("2.0", bad.code, bad.id)


def check_refusal(answer: Answer, target: str | bytes, reason: str) -> None:
    """What every refusal of Toolgate's has, and what none says."""
    assert answer.header("cache-control") == "no-store"
    assert answer.header("content-type") == "application/json"
    decision = answer.header("x-toolgate-decision-id") or ""
    assert len(decision) == 36 and decision.encode() in answer.body
    for secret in [b"ads", b"analysts-query", b"contractors", b"drop_table", b"policies/"]:
        assert secret not in answer.body
    challenge = answer.header("www-authenticate")
    if answer.status == 401:
        path = f"https://mcp.example.com/.well-known/oauth-protected-resource{target!s}"
        error = 'error="invalid_token", ' if reason == "token_invalid" else ""
        assert challenge == f'Bearer {error}resource_metadata="{path}"'
    else:
        assert challenge is None


def test_the_same_request_without_the_fault_passes(wire: Wire) -> None:
    answer = wire.send("/presto/mcp", MODERN_CALL, headers=MODERN_HEADERS)
    assert answer.status == 200 and b"user=alice groups=ads" in answer.body
    before = wire.stack.mark()
    # An older server wants a session first; that it says so shows that it was asked.
    assert wire.send("/presto/mcp", CALL).status != 200
    assert [record.rpc for record in wire.stack.records(before)] == ["tools/call"]


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", "APPLICATION/JSON; charset=UTF-8")],
        [("content-type", 'application/json;charset="utf-8"')],
        [("content-type", "application/json"), ("content-encoding", "identity")],
        [("content-type", "application/json"), ("origin", "https://chat.example.com")],
    ],
    ids=str,
)
def test_what_only_looks_unusual_passes(wire: Wire, headers: list[tuple[str, str]]) -> None:
    answer = wire.send(
        "/presto/mcp", MODERN_CALL, headers=[*MODERN_HEADERS, *headers], without=["content-type"]
    )
    assert answer.status == 200, answer


def test_a_body_of_one_mebibyte_passes(wire: Wire) -> None:
    def call(filling: int) -> bytes:
        return tool("list_tables", _meta=META, arguments={"x": "x" * filling})

    largest = call(1048576 - len(call(0)))
    assert len(largest) == 1048576
    before = wire.stack.mark()
    assert wire.send("/presto/mcp", largest, headers=MODERN_HEADERS).status == 200
    (record,) = wire.stack.records(before)
    assert record.body.encode() == largest


def test_a_chunked_body_passes_whole(wire: Wire) -> None:
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in MODERN_CALL) + b"0\r\n\r\n"
    before = wire.stack.mark()
    headers = [*MODERN_HEADERS, ("Transfer-Encoding", "chunked")]
    assert wire.send("/presto/mcp", chunks, headers=headers).status == 200
    (record,) = wire.stack.records(before)
    assert record.body.encode() == MODERN_CALL
