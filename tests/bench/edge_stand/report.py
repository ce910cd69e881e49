"""The tables that are printed, and the floors that must hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_stand.measure import Group

FLOORS = Path(__file__).parents[1] / "floors.json"


def table(group: Group) -> str:
    width = max(len(name) for name in [*group.results, *group.missing])
    base = group.rows[0].name
    head = f"{'CPU µs':>9} {'x base':>7} {'of it':>7}"
    head += "".join(f" {title:>9}" for title in ("per s", "p50 µs", "p99 µs", "p99.9"))
    lines = [group.title, f"  {'':{width}} {head}"]
    for row in group.rows:
        name = row.name
        # What an authorizer takes of what Envoy and it take together.
        part = f"{group.figure(name, 'authorizer'):7.1f}" if len(row.pids) > 1 else f"{'':7}"
        lines.append(
            f"  {name:{width}} {group.figure(name, 'cpu'):9.2f} "
            f"{group.ratio(name, base, 'cpu'):7.2f} {part}"
            + "".join(f" {group.figure(name, of):9.0f}" for of in ("rps", "p50", "p99", "p999"))
        )
    lines += [f"  {name:{width}} missing: {why}" for name, why in group.missing.items()]
    lines += [f"  {note}" for note in [*late(group), *group.notes]]
    return "\n".join(lines)


def late(group: Group) -> list[str]:
    """Rows whose requests left too late for their times to say much."""
    found = []
    for row in group.rows:
        results = group.results[row.name]
        share = sum(result["late"] for result in results) / sum(r["answers"] for r in results)
        share = min(share, 1.0)  # those that came too late are not among the answers
        if share > 0.01:
            found.append(f"{row.name}: {share:.0%} of the requests left late; this machine is busy")
    return found


def document(groups: list[Group], more: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for machines: medians, and each round."""
    shown = {}
    for group in groups:
        base = group.rows[0].name
        rows = {}
        for row in group.rows:
            of = ("cpu", "authorizer", "rps", "p50", "p99", "p999")
            medians = {name: group.figure(row.name, name) for name in of}
            medians["cpu_ratio"] = group.ratio(row.name, base, "cpu")
            rows[row.name] = {"median": medians, "rounds": group.results[row.name]}
        missing = {name: {"missing": why} for name, why in group.missing.items()}
        shown[group.title] = {"base": base, "rows": rows | missing, "notes": group.notes}
    return {"groups": shown, **more}


def ratios(groups: list[Group], scale: Mapping[str, float]) -> dict[str, float]:
    """What floors.json may name."""
    found = dict(scale)
    by_title = {group.title: group for group in groups}
    for name, entry in floors().items():
        group = by_title.get(entry.get("group", ""))
        if group and entry["row"] in group.results and entry["base"] in group.results:
            found[name] = group.ratio(entry["row"], entry["base"], entry["figure"])
    return found


def floors() -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = json.loads(FLOORS.read_text())
    return known


def judged(
    found: Mapping[str, float], missing: Mapping[str, str], *, short: bool, whole: bool
) -> tuple[list[str], list[str]]:
    """A line for each floor, and what does not hold. `whole`: each must have been measured, but for
    rows that are missing."""
    lines, broken = [], []
    for name, entry in floors().items():
        kind = "least" if "least" in entry else "most"
        bound = entry["short" if short else kind]
        if name in found:
            held = found[name] >= bound if kind == "least" else found[name] <= bound
            line = f"{name:46} {found[name]:8.2f}  at {kind} {bound:g}"
        else:
            held = not whole or entry.get("row") in missing
            line = f"{name:46} not measured"
        lines.append(f"  {line}{'' if held else '   BROKEN'}")
        if not held:
            broken.append(line)
    return lines, broken
