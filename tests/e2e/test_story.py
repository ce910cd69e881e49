"""The calls of the demo, made by a real client through a real Envoy: what the client is told, and
what the servers are."""

import asyncio

import pytest

from client import SDK, Era, session
from people import FINANCE
from stack import Record, Stack
from story import ALLOWED, STORY, Call, make

ERAS: list[Era] = ["legacy", "modern", "auto"] if SDK == 2 else ["legacy"]

WORKLOADS = {
    "ai-chat": "/ns/ai-chat/sa/webapp",
    "ide": "/ns/ide-gateway/sa/gateway",
    "chat-bot": "/ns/chat-bot/sa/bot",
    "nightly": "/ns/lineage/sa/nightly",
}
CHANNELS = {"C07SPARK1": "spark-support"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("call", STORY, ids=lambda call: f"{call.who} {call.what} {call.note}")
def test_every_call_is_answered_as_told(stack: Stack, call: Call, era: Era) -> None:
    before = stack.mark()
    answer = asyncio.run(make(stack, call, era))
    assert (answer.verdict, answer.status) == (call.expected, call.status), answer

    records = stack.records(before)
    tools = [record.params["name"] for record in records if record.rpc == "tools/call"]
    if call.expected != ALLOWED:
        assert tools == []
        # Who may use none of a server's tools does not get to open a session there either.
        assert call.status == 200 or records == []
    elif call.tool is None:
        assert tools == [] and "tools/list" in [record.rpc for record in records]
    else:
        assert tools == [call.tool] and answer.text.splitlines()[-1] == call.seen
    for record in records:
        check_identity(record, call)


def check_identity(record: Record, call: Call) -> None:
    """The server is told exactly who is calling, from where, and nothing that lets it be them."""
    person = call.person
    groups = call.seen.partition("groups=")[2] if person else None
    expected = {
        "x-forwarded-user": person,
        "x-forwarded-groups": groups,
        "x-forwarded-email": person and f"{person}@example.com",
        "x-toolgate-workload": f"spiffe://prod.example.com{WORKLOADS[call.place]}",
        # A service is not a place where people work.
        "x-toolgate-surface": call.place if person else None,
        "x-toolgate-verified-channel": CHANNELS.get(call.headers.get("x-toolgate-channel", "")),
        "x-toolgate-channel": None,
        "authorization": None,
        "x-forwarded-client-cert": None,
    }
    for name, value in expected.items():
        assert record.header(name) == ([] if value is None else [value]), name
    assert len(record.header("x-toolgate-decision-id")) == 1
    assert record.path == "/mcp"
    allowed = {*expected, "x-toolgate-decision-id"}
    said = {name for name, _ in record.headers if name.startswith("x-toolgate-")}
    assert said <= allowed


@pytest.mark.parametrize("era", ERAS)
def test_a_session_survives_a_refusal(stack: Stack, era: Era) -> None:
    async def talk() -> None:
        async with session(
            stack.url("presto"),
            token=stack.sign_in("alice"),
            cert=stack.cert("ai-chat"),
            ca=stack.ca,
            era=era,
        ) as mcp:
            for tool, code in [("get_revenue_metrics", 403), ("no_such_tool", 403)]:
                refused = await mcp.call(tool)
                assert (refused.kind, refused.code, refused.http_status) == ("rpc_error", code, 200)
                assert mcp.alive
                allowed = await mcp.call("run_query", {"sql": "SELECT 1"})
                assert allowed.kind == "result"
            assert len(await mcp.list_tools()) == 2

    asyncio.run(talk())


@pytest.mark.parametrize("era", ERAS)
def test_a_refusal_says_what_it_is_about(stack: Stack, era: Era) -> None:
    async def talk() -> None:
        async with session(
            stack.url("presto"),
            token=stack.sign_in("alice"),
            cert=stack.cert("ai-chat"),
            ca=stack.ca,
            era=era,
        ) as mcp:
            outcome = await mcp.call("get_revenue_metrics")
            decision = outcome.headers["x-toolgate-decision-id"]
            assert outcome.data == {
                "reason": "no_grant",
                "server": "presto",
                "tool": "get_revenue_metrics",
                "decision_id": decision,
            }
            unlisted = await mcp.call("no_such_tool")
            # A name that nobody reviewed could say anything to whoever reads the refusal.
            assert unlisted.data["reason"] == "not_listed" and "tool" not in unlisted.data
            assert "no_such_tool" not in unlisted.text

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (["infra", "ads"], "ads,infra"),
        (["ads", "no-such-group", "ads"], "ads"),
        ([FINANCE, "ads"], "ads,finance"),
        (["finance", "ads"], "ads"),  # this group goes by its ID, and only by that
    ],
    ids=str,
)
def test_groups_go_by_their_policy_names(stack: Stack, groups: list[str], told: str) -> None:
    async def talk() -> str:
        async with session(
            stack.url("presto"),
            token=stack.token("mia", groups),
            cert=stack.cert("ai-chat"),
            ca=stack.ca,
        ) as mcp:
            return (await mcp.call("list_tables")).text.splitlines()[-1]

    assert asyncio.run(talk()) == f"seen by the server: user=mia groups={told}"


def test_subjects_survive_the_header(stack: Stack) -> None:
    async def talk(sub: str) -> str:
        async with session(
            stack.url("knowledge"),
            token=stack.token(sub, []),
            cert=stack.cert("ai-chat"),
            ca=stack.ca,
        ) as mcp:
            return (await mcp.call("search", {"query": "x"})).text.splitlines()[-1]

    for sub, told in [
        ("auth0|6f3a", "auth0%7C6f3a"),
        ("Zoë", "Zo%C3%AB"),
        ("a,b", "a%2Cb"),
        ("100%", "100%25"),
        (" mia ", "%20mia%20"),
    ]:
        assert asyncio.run(talk(sub)) == f"seen by the server: user={told} groups=-"
