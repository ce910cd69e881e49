"""Workloads whose identities SPIRE issued, through an Envoy whose own comes from the agent."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import raw
from bad.row import META, MODERN, tool
from mesh import ENVOY, PARTNERS, WORKLOADS, Mesh
from process import ProcessError
from stack import envoy
from wire import USUAL

MODERN_CALL = [
    ("MCP-Protocol-Version", MODERN),
    ("Mcp-Method", "tools/call"),
    ("Mcp-Name", "list_tables"),
]


@dataclass(frozen=True)
class Row:
    """Somebody, or nobody, calls a tool from a workload. `status` is 0 where there is no
    connection, and the reason None where the call is allowed."""

    place: str
    person: str | None
    call: str
    status: int = 200
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.place}-{self.person or 'nobody'}-{self.call}"


ROWS = [
    Row("ai-chat", "alice", "list_tables"),
    Row("ide", "alice", "list_tables"),
    # The same token, from where nobody works.
    Row("stranger", "alice", "list_tables", 403, "surface"),
    Row("ai-chat", None, "list_tables", 401, "unauthenticated"),
    Row("stranger", None, "list_tables", 401, "unauthenticated"),
    # A service reads without a token, writes nothing, and is no surface.
    Row("nightly-lineage", None, "list_tables"),
    Row("nightly-lineage", None, "overwrite_table", 200, "banned"),
    Row("nightly-lineage", None, "get_revenue_metrics", 200, "banned"),
    Row("nightly-lineage", "alice", "list_tables", 403, "no_grant"),
    # Another trust domain: whom the policy names, and nobody else, whatever the path.
    Row("partner-ide", "alice", "list_tables"),
    Row("partner-chat", "alice", "list_tables", 403, "surface"),
    Row("partner-ide", None, "list_tables", 401, "unauthenticated"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_a_workload_may_do(mesh: Mesh, row: Row) -> None:
    before = mesh.stack.mark()
    answer = mesh.call(name=row.call, person=row.person, place=row.place)
    arrived = mesh.stack.records(before)
    assert (answer.status, len(arrived)) == (row.status, 0 if row.reason else 1), answer
    # Who is let through is told so by the server only.
    told = arrived[0].header("x-toolgate-decision-id") if arrived else []
    decision = mesh.stack.decision(*told or [str(answer.header("x-toolgate-decision-id"))])
    assert decision.get("reason") == row.reason, decision
    identity = {**WORKLOADS, **PARTNERS}[row.place]
    assert identity in json.dumps(decision)


def test_envoy_takes_what_is_rendered(mesh: Mesh) -> None:
    static = mesh.stack.config.with_name("static.json")
    static.write_text(mesh.stack.toolgate("envoy", "--config", "toolgate.yaml", "--static"))
    command = [str(envoy()), "--mode", "validate", "--config-path", static.name]
    checked = subprocess.run(
        command, cwd=static.parent, capture_output=True, text=True, timeout=30, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert [line for line in checked.stderr.splitlines() if "deprecated" in line] == []


def test_without_a_certificate_there_is_no_connection(mesh: Mesh) -> None:
    mesh.workloads["ai-chat"].tls()
    tls = raw.tls(mesh.workloads["ai-chat"].ca, None)
    assert raw.exchange(mesh.stack.ports["mtls"], raw.request("GET", "/"), tls).status == 0
    assert mesh.status("ai-chat") == 404


def forged(mesh: Mesh, identity: str) -> int:
    """What a certificate for this identity gets, signed with the partner's root."""
    tls = mesh.with_cert(mesh.partner_key.sign(identity))
    return raw.exchange(mesh.stack.ports["mtls"], raw.request("GET", "/"), tls).status


def test_a_trust_domain_signs_for_nobody_but_its_own(mesh: Mesh) -> None:
    assert forged(mesh, PARTNERS["partner-ide"]) == 404, "the root is believed for its own"
    for identity in [*WORKLOADS.values(), ENVOY]:
        assert forged(mesh, identity) == 0, identity


@pytest.fixture
def careless(mesh: Mesh) -> Iterator[Mesh]:
    """An agent that would give plain roots, of which each may sign for every trust domain."""
    restart(mesh, sds="disable_spiffe_cert_validation = true")
    yield mesh
    restart(mesh)
    mesh.wait_for_envoy()


def restart(mesh: Mesh, sds: str = "") -> None:
    """The agent and Envoy, from the start."""
    mesh.agent.process.stop()
    mesh.agent.configure(sds)
    with mesh.stack.stopped("envoy"):
        mesh.agent.process.start()


def test_from_an_agent_that_gives_plain_roots_nobody_is_believed(careless: Mesh) -> None:
    assert careless.status("ai-chat") == 0
    assert forged(careless, WORKLOADS["ai-chat"]) == 0


def test_whose_entry_is_gone_is_nobody_when_the_certificate_ends(mesh: Mesh) -> None:
    """Also on a connection that stays open."""
    seconds = 12
    name = "leaving"
    leaving = mesh.admit(name, WORKLOADS["ai-chat"], seconds)
    tls = leaving.tls()
    connection = http.client.HTTPSConnection("localhost", mesh.stack.ports["mtls"], context=tls)
    body = tool("list_tables", arguments={}, _meta=META)
    headers = dict([*USUAL, *MODERN_CALL, ("Authorization", f"Bearer {mesh.token('alice')}")])

    def ask() -> tuple[int, bytes]:
        connection.request("POST", "/presto/mcp", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert ask()[0] == 200
    socket = connection.sock
    mesh.agent.forget(mesh.entries[name])
    gone = time.time()
    statuses = []
    # The last second is for clocks that are cut to seconds.
    while time.time() < leaving.expires + 1:
        assert time.time() < gone + seconds + 5, "the certificate outlived its entry by too long"
        statuses.append((time.time(), ask()[0]))
        time.sleep(0.5)
    assert {status for at, status in statuses if at < leaving.expires - 1} <= {200}
    status, said = ask()
    assert connection.sock is socket, "a new connection would prove nothing"
    assert status == 403 and b'"workload_invalid"' in said
    connection.close()
    assert raw.exchange(mesh.stack.ports["mtls"], raw.request("GET", "/"), tls).status == 0
    with pytest.raises(ProcessError):
        leaving.fetch_only()
