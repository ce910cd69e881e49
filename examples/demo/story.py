"""The calls of the demo, as data, and how to make one. The end-to-end tests make the same ones."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import raw
from client import Era, Outcome, Refused, session
from people import FINANCE, GROUPS
from stack import Stack

ALLOWED = "allowed"
LAPTOP = "laptop"  # no certificate: the plain listener


@dataclass(frozen=True)
class Call:
    """Somebody (or, without a person, nobody) calls a tool, or lists the tools if it names none."""

    person: str | None
    place: str  # whose certificate
    server: str
    tool: str | None
    expected: str  # ALLOWED, or the reason of the refusal
    status: int = 200
    args: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""  # what is special about it
    ttl: int = 300  # seconds that the token lives
    body: bytes | None = None  # sent instead of what a client library would

    @property
    def who(self) -> str:
        if self.person is None:
            return "nobody"
        groups = ("finance" if group == FINANCE else group for group in GROUPS[self.person])
        return f"{self.person} ({', '.join(groups)})"

    @property
    def what(self) -> str:
        if self.body is not None:
            return f"POST /{self.server}/mcp"
        return f"{self.server}/{self.tool or 'tools/list'}"

    @property
    def seen(self) -> str:
        """The last line of a sample server's answer."""
        if self.person is None:
            return "seen by the server: user=- groups=-"
        groups = ["finance" if group == FINANCE else group for group in GROUPS[self.person]]
        return f"seen by the server: user={self.person} groups={','.join(groups)}"


@dataclass(frozen=True)
class Answer:
    verdict: str  # as Call.expected
    status: int | None
    text: str  # of the server, or of the refusal


_SQL = {"sql": "SELECT * FROM ads.clicks"}
_MANY = {"sql": "SELECT * FROM ads.clicks", "limit": 1000000}
_MORE = {"sql": "SELECT * FROM ads.clicks", "timeout": 0}
_SPARK = {"application": "app-20261119-0007"}
_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_TWO_NAMES = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
    b'"params":{"name":"list_tables","name":"overwrite_table","arguments":{}}}'
)

STORY: list[Call] = [
    Call("alice", "ai-chat", "presto", None, ALLOWED),
    Call("alice", "ai-chat", "presto", "run_query", ALLOWED, args=_SQL),
    Call("alice", "ai-chat", "presto", "run_query", "limit", args=_MANY, note="too many rows"),
    Call("alice", "ai-chat", "presto", "run_query", "limit", args=_MORE, note="not accepted"),
    Call("alice", "ai-chat", "presto", "get_revenue_metrics", "no_grant"),
    Call("dora", "ai-chat", "presto", "get_revenue_metrics", "no_grant", note="not trained"),
    Call("erin", "ai-chat", "presto", "get_revenue_metrics", ALLOWED),
    Call("carl", "ai-chat", "presto", "get_revenue_metrics", "banned"),
    Call("bob", "ai-chat", "presto", "run_query", ALLOWED, args=_SQL, note="group by its ID"),
    Call(None, "ai-chat", "presto", "run_query", "unauthenticated", 401, _SQL, note="no token"),
    Call(
        "alice",
        "ai-chat",
        "presto",
        "run_query",
        "token_invalid",
        401,
        _SQL,
        note="expired token",
        ttl=-60,
    ),
    Call("erin", "ai-chat", "lab", "echo", "surface", 403, {"message": "hello"}, note="dev server"),
    Call("erin", "ide", "lab", "echo", ALLOWED, args={"message": "hello"}),
    Call("alice", "ai-chat", "spark", "explain_failure", "no_grant", 403, _SPARK),
    Call(
        "alice",
        "chat-bot",
        "spark",
        "explain_failure",
        ALLOWED,
        args=_SPARK,
        headers={"x-toolgate-channel": "C07SPARK1"},
        note="in its support channel",
    ),
    Call(None, "nightly", "presto", "list_tables", ALLOWED, note="a service"),
    Call(None, "nightly", "presto", "run_query", "no_grant", args=_SQL, note="a service"),
    Call(
        "alice",
        "ai-chat",
        "presto",
        "list_tables",
        ALLOWED,
        headers={"X-Forwarded-Groups": "ads-eng,data-stewards", "X-Forwarded-User": "root"},
        note="forged identity headers",
    ),
    Call(
        "alice",
        "ai-chat",
        "presto",
        None,
        "malformed",
        400,
        note="a batch",
        body=b"[" + _PING + b"]",
    ),
    Call(
        "alice", "ai-chat", "presto", None, "malformed", 400, note="a name twice", body=_TWO_NAMES
    ),
    Call(
        "erin",
        "ai-chat",
        "presto",
        "overwrite_table",
        "approval_required",
        args={"table": "ads.clicks", "sql": "SELECT 1"},
    ),
    Call("ines", "ai-chat", "knowledge", "search", ALLOWED, args={"query": "on call"}),
    Call("kim", "ide", "airflow", "trigger_dag", ALLOWED, args={"dag": "lineage_nightly"}),
    Call("alice", "stranger", "presto", "run_query", "surface", 403, _SQL, note="unknown workload"),
]


async def make(stack: Stack, call: Call, era: Era = "auto") -> Answer:
    """Makes the call through Envoy."""
    token = stack.sign_in(call.person, ttl=call.ttl) if call.person else None
    plain = call.place == LAPTOP
    cert = None if plain else stack.cert(call.place)
    if call.body is not None:
        return await asyncio.to_thread(_send, stack, call, token)
    try:
        async with session(
            stack.url(call.server, plain=plain),
            token=token,
            cert=cert,
            ca=stack.ca,
            headers=dict(call.headers),
            era=era,
        ) as mcp:
            if call.tool is None:
                names = await mcp.list_tools()
                return Answer(ALLOWED, 200, f"{len(names)} tools")
            return judged(await mcp.call(call.tool, dict(call.args)))
    except Refused as refused:
        return judged(refused.outcome)


def judged(outcome: Outcome) -> Answer:
    """What an outcome means: allowed, or the reason why not."""
    if outcome.kind == "result":
        return Answer(ALLOWED, outcome.http_status, outcome.text)
    if outcome.kind == "rpc_error":
        reason = outcome.data.get("reason") if isinstance(outcome.data, dict) else None
    else:
        reason = _http_reason(outcome.text)
    return Answer(reason or "no reason", outcome.http_status, outcome.text)


def _send(stack: Stack, call: Call, token: str | None) -> Answer:
    headers = [("Content-Type", "application/json"), *call.headers.items()]
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    sent = raw.request("POST", f"/{call.server}/mcp", headers, call.body)
    tls = raw.tls(stack.ca, stack.cert(call.place))
    answer = raw.exchange(stack.ports["mtls"], sent, tls)
    text = answer.body.decode(errors="replace")
    return Answer(reason_of(answer.json()) or "no reason", answer.status, text)


def reason_of(body: Any) -> str | None:
    """The reason in the body of a refusal, be it a JSON-RPC error or plain JSON."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        data = error.get("data")
        return data.get("reason") if isinstance(data, dict) else None
    return error


def _http_reason(text: str) -> str | None:
    try:
        return reason_of(json.loads(text))
    except ValueError:
        return None
