"""Everything changes while requests flow: the policies by every means there is, an upstream's
place, Toolgate and Envoy themselves. Afterwards each answer is held against the record of its
decision, and each decision against what the set that was in force says.

ALIVE_SWAPS, ALIVE_REQUESTS and ALIVE_RATE make it longer, as `make alive` does."""

import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import raw
from bad.row import META, MODERN, rpc
from directory import MEANS, Files, broken, by_rename, edited, files_of, half_written, in_place
from load import Call, Connection, Load, Noted
from process import Process
from stack import Record, Stack, answers, binary
from story import LAPTOP
from wire import USUAL
from workspace import REPOSITORY

SWAPS = int(os.environ.get("ALIVE_SWAPS", "30"))
REQUESTS = int(os.environ.get("ALIVE_REQUESTS", "3000"))
RATE = float(os.environ.get("ALIVE_RATE", "300"))

# A request is stamped, and then takes the set in force: on a busy machine that is a moment apart.
SLACK = 1.0  # seconds


@dataclass(frozen=True)
class Asked:
    """A call that is made again and again."""

    person: str
    groups: str  # as the policies name them
    place: str
    server: str
    tool: str
    arguments: tuple[tuple[str, str], ...] = ()

    def bytes(self, stack: Stack) -> Call:
        token = stack.sign_in(self.person, ttl=3600)
        headers = [*USUAL, ("Authorization", f"Bearer {token}"), ("MCP-Protocol-Version", MODERN)]
        headers += [("Mcp-Method", "tools/call"), ("Mcp-Name", self.tool)]
        params = {"name": self.tool, "arguments": dict(self.arguments), "_meta": META}
        target = f"/{self.server}/mcp"

        def call(number: int) -> bytes:
            return raw.request("POST", target, headers, rpc("tools/call", params, id=number))

        return call

    def explained(self, stack: Stack, policies: str) -> dict[str, Any]:
        """What a policy set says."""
        who = ["--user", self.person, "--groups", self.groups, "--via", self.place]
        what = f"{self.server}/{self.tool}"
        asked = ["explain", what, *who, "--policies", policies, "--format", "json"]
        done = stack.attempt("toolgate", *asked)
        assert done.returncode in (0, 1), done.stderr
        explained: dict[str, Any] = json.loads(done.stdout)
        return explained


# Where it is differs between the sets.
MOVES = Asked("alice", "ads", "ai-chat", "knowledge", "search", (("query", "x"),))

# Some are answered otherwise under the other set, some alike.
CALLS = [
    Asked("alice", "ads", "ai-chat", "presto", "list_tables"),
    Asked("bob", "finance", "ai-chat", "presto", "list_tables"),
    MOVES,
    Asked("carl", "ads-eng,contractors", "ai-chat", "presto", "get_revenue_metrics"),
    Asked("erin", "ads-eng", "ai-chat", "spark", "list_applications"),
    Asked("ines", "infra", "ide", "airflow", "trigger_dag", (("dag", "revenue_daily"),)),
    Asked("kim", "data-platform", "ide", "airflow", "list_dags"),
    Asked("erin", "ads-eng", LAPTOP, "lab", "echo", (("message", "x"),)),
    Asked("ines", "infra", LAPTOP, "lab", "echo", (("message", "x"),)),
]

LANES = [("ai-chat", 3), ("ide", 1), (LAPTOP, 1)]  # and how many connections each has


def good_set(base: Files, mark: str, edits: Iterable[tuple[str, str, str]]) -> Files:
    """A set whose files belong together: each names a group that only its own groups.yaml has, so
    that no mixture of two sets is one."""
    files = edited(base, "groups.yaml", "groups:", f"groups:\n  {mark}: {{}}\n#")
    for path, before, after in edits:
        files = edited(files, path, before, after)
    return files


PLATFORM = "people: [ads-eng, data-platform]"
MARKED = "  marked: {{ people: [{}], via: [any-surface], call: [search] }}"


def set_a(base: Files) -> Files:
    edits = [
        ("servers/presto.yaml", "[ads, finance, infra]", "[ads, finance, infra, set-a]"),
        ("servers/knowledge.yaml", "grants:", "grants:\n" + MARKED.format("set-a")),
        ("servers/airflow.yaml", PLATFORM, "people: [ads-eng, data-platform, set-a]"),
        ("servers/lab.yaml", "[ads-eng, infra]", "[ads-eng, infra, set-a]"),
    ]
    return good_set(base, "set-a", edits)


def set_b(base: Files, port: int, other: int) -> Files:
    """Presto is no longer for `ads`, a trigger is for `infra`, and knowledge has moved."""
    edits = [
        ("servers/presto.yaml", "[ads, finance, infra]", "[finance, infra, set-b]"),
        ("servers/knowledge.yaml", "grants:", "grants:\n" + MARKED.format("set-b")),
        ("servers/knowledge.yaml", f":{port}/", f":{other}/"),
        ("guardrails.yaml", f":{port}", f":{other}"),
        ("servers/airflow.yaml", PLATFORM, "people: [ads-eng, data-platform, infra, set-b]"),
        ("servers/lab.yaml", "[ads-eng, infra]", "[infra, set-b]"),
    ]
    return good_set(base, "set-b", edits)


class Timeline:
    """Which sets may have been in force, and when."""

    def __init__(self, digest: str) -> None:
        self._changes: list[tuple[float, frozenset[str]]] = [(0.0, frozenset([digest]))]

    def may(self, digest: str) -> None:
        """From now on this one, too: its files are being written."""
        self._changes.append((time.time(), self._changes[-1][1] | {digest}))

    def must(self, digest: str) -> None:
        """From now on this one alone: Toolgate says so."""
        self._changes.append((time.time(), frozenset([digest])))

    def at(self, moment: float) -> frozenset[str]:
        """What may have been in force when a request of that moment was decided."""
        found: frozenset[str] = frozenset()
        ends = [*(since for since, _ in self._changes[1:]), float("inf")]
        for (since, digests), end in zip(self._changes, ends):
            if since <= moment + SLACK and moment <= end:
                found |= digests
        return found


class Run:
    """One run, and what is known of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.root = stack, stack.work / "policies"
        base = files_of(self.root)
        ports = stack.ports
        self.sets: dict[str, Files] = {}  # by digest
        self.expected: dict[str, list[tuple[str, str | None]]] = {}
        self.names: dict[str, str] = {}
        moved = set_b(base, ports["knowledge"], ports["spare"])
        for name, files in [("a", set_a(base)), ("b", moved)]:
            copy = stack.work / "sets" / name
            copy.mkdir(parents=True)
            in_place(copy, files)
            said = [call.explained(stack, f"../sets/{name}") for call in CALLS]
            (digest,) = {str(one["policy"]) for one in said}
            self.sets[digest], self.names[name] = files, digest
            self.expected[digest] = [(one["verdict"], one["reason"]) for one in said]
        self.timeline = Timeline(stack.in_force())
        self.restarts: list[tuple[float, float]] = []  # of Envoy

    def swap(self, kind: str, means: Callable[[Path, Files], None], *, wait: bool) -> None:
        """Puts a set there; for a good one it may wait until that is in force."""
        digest = self.names.get(kind)
        if digest is None:
            good = self.sets[self.names["a"]]
            bad = {"bad": broken(good), "half-written": half_written(good), "empty": {}}
            means(self.root, bad[kind])
            return
        self.timeline.may(digest)
        means(self.root, self.sets[digest])
        if wait:
            self.stack.processes["toolgate"].wait_until(
                lambda: self.stands(digest), f"did not take the set {kind}"
            )
            self.timeline.must(digest)

    def stands(self, digest: str) -> bool:
        policy = self.stack.status()["policy"]
        return bool(policy["digest"] == digest and policy["problems"] is None)

    @contextmanager
    def envoy_away(self) -> Iterator[None]:
        since = time.time()
        try:
            yield
        finally:
            self.restarts.append((since, time.time()))


def decision_log(stack: Stack) -> list[dict[str, Any]]:
    """Every record, rotated files included."""
    files = stack.run.glob("decisions.jsonl*")
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def record_of(line: str) -> Record:
    return Record(**json.loads(line))


def moment(entry: dict[str, Any]) -> float:
    whole, _, fraction = entry["time"].removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return seconds + float(f"0.{fraction or 0}")


def edit(work: Path) -> None:
    config = work / "envoy/toolgate.yaml"
    text = config.read_text()
    sink = "file: { path: ../run/decisions.jsonl, max_megabytes: 1, keep: 1000 }"
    text = re.sub(r"stdout: \{\}", sink, text)
    config.write_text(re.sub(r"when_full: drop", "when_full: block", text))


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with Stack(REPOSITORY / "target/e2e/alive", edit=edit) as stack:
        serve = [binary("examples/sample_servers"), "--record", stack.run / "moved.jsonl"]
        serve += [f"--{name}=127.0.0.1:0" for name in ["presto", "presto-staging", "spark"]]
        serve += [f"--{name}=127.0.0.1:0" for name in ["airflow", "lab"]]
        serve += [f"--knowledge=127.0.0.1:{stack.ports['spare']}"]

        def ready() -> bool:
            return answers(stack.ports["spare"], "/healthz")

        moved = Process("moved", serve, ready, cwd=stack.work, log=stack.run / "moved.log")
        stack.processes["moved"] = moved
        moved.start()
        yield Run(stack)


def test_everything_changes_while_requests_flow(run: Run) -> None:
    stack = run.stack
    run.swap("a", in_place, wait=True)
    noted = change_everything(run)
    # Nothing is left to write once Toolgate has ended.
    assert stack.processes["toolgate"].stop() == 0
    log = decision_log(stack)
    received = stack.records()
    lines = (stack.run / "moved.jsonl").read_text().splitlines()
    moved = [record for record in map(record_of, lines) if record.path == "/mcp"]
    received += moved
    stack.processes["toolgate"].start()

    print(f"{len(noted)} requests, {Counter(one.status for one in noted)}, {len(log)} records")
    decisions = {entry["id"]: entry for entry in log}
    assert len(decisions) == len(log), "a decision is recorded twice"
    check_answers(run, noted, decisions, received)
    check_upstreams(received, decisions)
    unanswered = len(log) - sum(one.status != 0 for one in noted)
    assert 0 <= unanswered <= 3 * sum(count for _, count in LANES), unanswered

    # All of that would be easy if nothing had changed.
    assert len(noted) >= REQUESTS and moved
    assert list(stack.run.glob("decisions.jsonl.[0-9]*")), "the log was not rotated"
    counted = Counter(entry["policy"] for entry in log)
    assert all(counted[digest] > len(log) / 10 for digest in run.names.values()), counted


def test_a_server_that_moves_costs_nobody_an_answer(run: Run) -> None:
    """Back and forth; Envoy goes by its old routes for a moment each time."""
    stack = run.stack
    run.swap("a", in_place, wait=True)
    tls = raw.tls(stack.ca, stack.cert("ai-chat"))
    lanes = [(Connection(stack.ports["mtls"], tls), [0]) for _ in range(6)]
    load = Load(300, lanes, [MOVES.bytes(stack)])
    load.start()
    for name in "babababa":
        run.swap(name, by_rename, wait=True)
        before = load.count()
        stack.processes["toolgate"].wait_until(lambda: load.count() > before + 20, "is not asked")
    assert {one.status for one in load.stop()} == {200}


def change_everything(run: Run) -> list[Noted]:
    """Until every swap is done, and enough was asked."""
    stack, dice = run.stack, random.Random(4711)
    calls = [call.bytes(stack) for call in CALLS]
    lanes = []
    for place, count in LANES:
        port = stack.ports["plain" if place == LAPTOP else "mtls"]
        tls = None if place == LAPTOP else raw.tls(stack.ca, stack.cert(place))
        turns = [index for index, call in enumerate(CALLS) if call.place == place]
        lanes += [(Connection(port, tls), turns) for _ in range(count)]
    load = Load(RATE, lanes, calls)
    load.start()
    kinds = ["a", "bad", "b", "empty", "half-written"]
    restarts = {SWAPS // 4: "toolgate", SWAPS // 2: "envoy", 3 * SWAPS // 4: "toolgate"}
    for number in range(SWAPS):
        due = restarts.get(number)
        kind = dice.choice("ab") if due else kinds[number % len(kinds)]
        # One in two good sets is given the time to come into force.
        hasty = kind not in run.names or (due is None and dice.random() < 0.5)
        run.swap(kind, dice.choice(MEANS), wait=not hasty)
        if due == "envoy":
            with run.envoy_away(), stack.stopped("envoy"):
                pass
        elif due == "toolgate":
            with stack.stopped("toolgate"):
                pass
        # Long enough to be taken or reported, or not.
        time.sleep(dice.choice([0.02, 0.1, 0.3, 0.6]) if hasty else 0.2)
    run.swap("a", by_rename, wait=True)
    stack.processes["toolgate"].wait_until(lambda: load.count() >= REQUESTS, "was not asked enough")
    return load.stop()


def check_answers(
    run: Run, noted: list[Noted], decisions: dict[str, dict[str, Any]], received: list[Record]
) -> None:
    """Each answer is what the set in force says, and its record says the same."""
    arrived: dict[int, list[str]] = {}
    for record in received:
        (decision_id,) = record.header("x-toolgate-decision-id")
        arrived.setdefault(json.loads(record.body)["id"], []).append(decision_id)
    for one in noted:
        if one.status == 0:
            away = [one.sent <= until and one.answered >= since for since, until in run.restarts]
            assert any(away), f"no answer while Envoy was there: {one}"
            continue
        assert one.status < 500, one
        ids = arrived.get(one.number, [])
        said = one.json()
        if ids:
            assert one.decision_id is None and one.status == 200 and "result" in said, one
        else:
            assert one.decision_id is not None and "error" in said, one
            ids = [one.decision_id]
        (decision_id,) = ids
        entry = decisions[decision_id]
        in_force = run.timeline.at(moment(entry))
        assert entry["policy"] in in_force, f"not in force: {entry}, but {in_force}"
        verdict, reason = run.expected[entry["policy"]][one.call]
        recorded = (entry["verdict"], entry["enforced"], entry.get("reason"))
        word = "allow" if verdict == "allow" else "refuse"
        assert recorded == (word, word, reason), (entry, verdict, reason)
        assert (word == "allow") == (one.decision_id is None), (one, entry)
        if word == "refuse":
            assert (reason or "").encode() in one.body, (one, entry)


def check_upstreams(received: list[Record], decisions: dict[str, dict[str, Any]]) -> None:
    """Nothing reached a server that no record allows."""
    for record in received:
        (decision_id,) = record.header("x-toolgate-decision-id")
        entry = decisions[decision_id]
        assert entry["enforced"] == "allow", entry
        assert record.header("x-forwarded-user") == [entry["user"]["subject"]]
        assert json.loads(record.body)["params"]["name"] == entry["tool"]
