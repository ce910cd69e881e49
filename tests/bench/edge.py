"""What a decision costs at the edge: Toolgate beside an authorizer that only says OK, Envoy's own
filters, and OPA, in turns and in one run. `--short` for less of it; `--only direct`, `through` or
`scale` for a part.

Prints a report, and writes it to target/bench/edge.json. Fails if an answer is not the expected
one, or if a ratio is beyond what tests/bench/floors.json allows.
"""

import argparse
import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/demo"), str(ROOT / "tests/e2e")]

from edge_stand import direct, machine, opa, policies, report, scale, servers, through  # noqa: E402
from edge_stand.material import PATH, Material  # noqa: E402
from edge_stand.measure import Group, Timing  # noqa: E402
from edge_stand.servers import Servers, Toolgate  # noqa: E402
from process import ProcessError  # noqa: E402
from workspace import choose_ports  # noqa: E402

WORK = ROOT / "target/bench/edge"
PARTS = ("direct", "through", "scale")

FULL = Timing(rounds=5, seconds=1.2, warmup=0.3)
SHORT = Timing(rounds=3, seconds=0.4, warmup=0.1)

LARGE = scale.Size(servers=10_000, rounds=5, tokens=100_000, cache=32)
SMALL = scale.Size(servers=10_000, rounds=1, tokens=10_000, cache=3)

Groups = list[Group]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", choices=PARTS, action="append")
    chosen = parser.parse_args()
    began = time.monotonic()
    described = machine.described()
    try:
        groups, more = measured(chosen.only or PARTS, short=chosen.short)
    except ProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    print(f"The edge: {described}; {'short, ' if chosen.short else ''}{seconds:.0f} s\n")
    for group in groups:
        print(report.table(group), end="\n\n")
    scaled = more.get("scale")
    if scaled:
        print("\n".join(scale.lines(scaled)), end="\n\n")
    found = report.ratios(groups, scale.figures(scaled) if scaled else {})
    missing = {name: why for group in groups for name, why in group.missing.items()}
    lines, broken = report.judged(found, missing, short=chosen.short, whole=not chosen.only)
    print("Floors", *lines, sep="\n")
    document = report.document(groups, {**more, "machine": described, "floors": found})
    (ROOT / "target/bench/edge.json").write_text(json.dumps(document, indent=1) + "\n")
    problems = [f"a floor does not hold: {line}" for line in broken]
    if os.environ.get("CI") == "true":
        wanted = {name: why for name, why in missing.items() if why != opa.LEFT_OUT}
        problems += [f"{name} is missing: {why}" for name, why in wanted.items()]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def measured(parts: list[str] | tuple[str, ...], *, short: bool) -> tuple[Groups, dict[str, Any]]:
    # It takes minutes to build.
    program, missing = (Path(), opa.LEFT_OUT) if short else opa.program()
    shutil.rmtree(WORK, ignore_errors=True)
    material = Material(WORK)
    port = ports()
    timing, size = (SHORT, SMALL) if short else (FULL, LARGE)
    groups: Groups = []
    more: dict[str, Any] = {}
    with ExitStack() as stand:
        jwks = material.identity / "jwks.json"
        running = stand.enter_context(Servers(WORK, jwks, material.certificates, port))
        running.opa_program = program
        upstream = running.upstream(1)
        directories = prepare(running, material, [1, 100, size.servers], upstream)
        (WORK / "opa-data.json").write_text(json.dumps(opa.data(material, 1)))

        def run(group: Group) -> None:
            group.run(timing, tell)
            groups.append(group)

        if "direct" in parts:
            with running.apart() as apart:
                for group in direct.groups(apart, material, directories, missing):
                    run(group)
        if "through" in parts:
            with running.apart() as apart:
                one = directories[1]
                for group in through.groups(apart, material, one, upstream, missing, short):
                    run(group)
        if "scale" in parts:
            with running.apart() as apart:
                more["scale"] = scale.measured(apart, material, directories, upstream, size, tell)
    return groups, more


def ports() -> Any:
    """Free ports, another one each time."""
    known: set[int] = set()

    def one() -> int:
        while (found := choose_ports(fixed=False)["spare"]) in known:
            pass
        known.add(found)
        return found

    return one


def prepare(
    running: Servers, material: Material, counts: list[int], upstream: int
) -> dict[int, Path]:
    """Policy directories by how many servers they have, all reviewed; and what the route of the
    server that is asked for tells."""
    found = {count: WORK / f"policies-{count}" for count in counts}
    first = found[counts[0]]
    policies.directory(first, counts[0], upstream, None)
    servers.toolgate("reviews", "stamp", "--policies", first)
    servers.toolgate("lint", first)
    digest = policies.digest(first)
    for count in counts[1:]:
        policies.directory(found[count], count, upstream, digest)
    config = running.configure("render", Toolgate(first), f"unix:{WORK}/grpc", running.port())
    into = config.parent
    servers.toolgate("envoy", "--config", config, "--out", into, "--plain")
    (mcp,) = json.loads((into / "routes.json").read_text())["resources"]
    (host,) = mcp["virtual_hosts"]
    route = next(route for route in host["routes"] if route["match"] == {"path": PATH})
    settings = route["typed_per_filter_config"]["envoy.filters.http.ext_authz"]
    material.extensions = settings["check_settings"]["context_extensions"]
    return found


def tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
