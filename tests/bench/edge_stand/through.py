"""The same request through Envoy, decided in different ways."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_stand import envoy, opa, servers
from edge_stand.material import Material
from edge_stand.measure import PROXIED, Group, Row
from edge_stand.servers import Servers, Toolgate
from stack import envoy as envoy_program
from stack import listens

CLOSED = "Through Envoy, 4 connections"
ALONE = "Through Envoy, one at a time"
OPEN = "Through Envoy, 1,000 a second"

COLD = 64


def groups(
    running: Servers, material: Material, policy: Path, upstream: int, missing: str, short: bool
) -> Iterator[Group]:
    names = ["plain", "plain, hardened", "jwt_authn + rbac", "jwt_authn (cache) + rbac"]
    names += ["ok", "ok, hardened", "toolgate", "toolgate cold"]
    found = {
        "ok": running.ok("envoy-ok", tcp=False, core=1),
        "ok-hardened": running.ok("envoy-ok-hardened", tcp=False, core=1),
        "toolgate": running.toolgate("envoy-toolgate", Toolgate(policy), 1),
        "toolgate-cold": running.toolgate("envoy-toolgate-cold", Toolgate(policy, cache=0), 1),
    }
    absent = {}
    if missing:
        absent["opa"] = missing
    else:
        names.append("opa")
        found["opa"] = running.opa("envoy-opa", opa.config(cached=True), 1)
    ports = {name: running.port() for name in names}
    targets = {name: server.target for name, server in found.items()}
    work = running.directory("envoy-toolgate")
    servers.toolgate("envoy", "--config", work / "toolgate.yaml", "--out", work, "--plain")
    config = envoy.bootstrap(work, ports, targets, upstream, material.rs256())
    (work / "bench.json").write_text(json.dumps(config, indent=1))
    command: list[str | Path] = [envoy_program(), "--config-path", work / "bench.json"]
    command += ["--log-level", "warning", "--disable-hot-restart", "--concurrency", "1"]
    process = running.start(
        "envoy-toolgate", command, lambda: all(listens(port) for port in ports.values()), 0
    )

    hot = [material.http("hot", material.token())]
    cold = [material.http(f"cold-{n}", material.token()) for n in range(COLD)]

    def row(name: str) -> Row:
        authorizer = found.get(name.replace(",", "").replace(" ", "-"))
        pids = [process.pid, *([authorizer.pid] if authorizer else [])]
        target = f"127.0.0.1:{ports[name]}"
        requests = cold if name == "toolgate cold" else hot
        return Row(name, target, requests, pids, PROXIED, 4, 1, protocol="http")

    rows = [row(name) for name in names]
    # These let everything through.
    undecided = ("plain", "plain, hardened", "ok", "ok, hardened")
    deciding = [entry for entry in rows if entry.name not in undecided]
    forged = [material.http("forged", material.forged())]
    refusals = [replace(entry, requests=forged) for entry in deciding]
    yield Group(CLOSED, rows, absent, refusals)
    if not short:
        yield Group(ALONE, [replace(entry, connections=1) for entry in rows], absent)
    yield Group(OPEN, [replace(entry, rate=1000.0) for entry in rows], absent)
