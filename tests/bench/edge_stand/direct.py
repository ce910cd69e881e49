"""Authorizers asked directly, as Envoy asks them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_stand import opa, policies
from edge_stand.material import ALGORITHMS, Material
from edge_stand.measure import ALLOWED, BY_TOOLGATE, REFUSED, Group, Row
from edge_stand.servers import FILE, Server, Servers, Toolgate

DIRECT = "Direct"
ONE = "One at a time"
TWO = "Two cores"

# Distinct tokens where none is kept: more of them change nothing.
COLD = 64


def groups(
    servers: Servers, material: Material, directories: dict[int, Path], missing: str
) -> Iterator[Group]:
    """Starts what is compared; one group after the other."""
    hot = [material.check("hot", material.token())]
    bare = [material.check("bare", material.token(), workload=False)]
    refused = [material.check("refused", material.token(), policies.REFUSED_TOOL)]
    cold = {
        each: [material.check(f"{each}-{n}", material.token(each)) for n in range(COLD)]
        for each in ALGORITHMS
    }
    one = directories[1]
    usual = servers.toolgate("toolgate", Toolgate(one), 0)
    verifying = servers.toolgate("toolgate-cold", Toolgate(one, cache=0), 0)

    by_tcp = servers.toolgate("toolgate-tcp", Toolgate(one, tcp=True), 0)
    recording = servers.toolgate("toolgate-file", Toolgate(one, decisions=FILE), 0)

    def row(name: str, server: Server, requests: list[Path], expect: dict[str, object]) -> Row:
        return Row(name, server.target, requests, [server.pid], expect)

    direct = Group(DIRECT)
    direct.rows = [
        row("ok, unix", servers.ok("ok", tcp=False, core=0), hot, ALLOWED),
        row("ok, TCP", servers.ok("ok-tcp", tcp=True, core=0), hot, ALLOWED),
        row("hot, unix", usual, hot, BY_TOOLGATE),
        row("hot, TCP", by_tcp, hot, BY_TOOLGATE),
        row("hot, decisions to a file", recording, hot, BY_TOOLGATE),
        row("hot, no certificate", usual, bare, BY_TOOLGATE),
        row("refused", usual, refused, REFUSED),
    ]
    for algorithm, requests in cold.items():
        direct.rows.append(row(f"cold, {algorithm}", verifying, requests, BY_TOOLGATE))
    for count in sorted(directories.keys() - {1}):
        many = servers.toolgate(f"toolgate-{count}", Toolgate(directories[count]), 0)
        direct.rows.append(row(f"hot, {count} servers", many, hot, BY_TOOLGATE))
    forged = [material.check("forged", material.forged())]
    direct.refusals = [row("hot, unix", usual, requests, ALLOWED) for requests in (refused, forged)]
    add_opa(direct, servers, material, missing)
    yield direct
    for name, server in {"standard output": usual, "a file": recording}.items():
        found = server.records()
        share = found["dropped"] / max(sum(found.values()), 1)
        direct.notes.append(f"{share:.0%} of the decisions found no room on the way to {name}")

    alone = Group(ONE)
    chosen = [entry for entry in direct.rows if entry.name in ("ok, unix", "hot, unix", "OPA, hot")]
    alone.rows = [replace(entry, connections=1, streams=1) for entry in chosen]
    yield alone

    # Here the load generator runs beside the server, on the same two cores.
    both = Group(TWO)
    free = servers.toolgate("toolgate-free", Toolgate(one), None)
    ok = servers.ok("ok-free", tcp=False, core=None)
    rows = [row("ok, unix", ok, hot, ALLOWED), row("hot, unix", free, hot, BY_TOOLGATE)]
    both.rows = [replace(entry, connections=4, core=None) for entry in rows]
    yield both


def add_opa(group: Group, servers: Servers, material: Material, missing: str) -> None:
    names = ("OPA, hot", "OPA, cold")
    if missing:
        group.missing |= dict.fromkeys(names, missing)
        return
    hot = [material.check("opa-hot", material.token(), raw=False)]
    bad = [
        material.check("opa-refused", material.token(), policies.REFUSED_TOOL, raw=False),
        material.check("opa-forged", material.forged(), raw=False),
    ]
    cold = [material.check(f"opa-{n}", material.token(), raw=False) for n in range(COLD)]
    for name, requests, cached in zip(names, (hot, cold), (True, False)):
        server = servers.opa(f"opa-{name[5:]}", opa.config(cached=cached), 0)
        row = Row(name, server.target, requests, [server.pid], ALLOWED)
        group.rows.append(row)
        group.refusals += [replace(row, requests=[request]) for request in bad]
