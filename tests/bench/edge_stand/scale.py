"""What grows with servers and tokens: memory, and what a change of one file costs while requests
flow."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edge_stand import machine, policies
from edge_stand.material import Material
from edge_stand.measure import BY_TOOLGATE, Result, Row, load
from edge_stand.servers import Server, Servers, Toolgate
from process import ProcessError

RATE = 1000.0  # requests a second beside a change
WINDOW = 6.0  # seconds around a change; more, if that is not in force by then
BEGINNING = 1.0  # seconds of them before the change
PATIENCE = 30.0  # seconds until a change must be in force
SETTLED = 25.0  # seconds in which the allocator gives back what the policies took to be read


@dataclass(frozen=True)
class Size:
    """How much of it, by how long the whole may take."""

    servers: int
    rounds: int
    tokens: int
    cache: int  # megabytes, which hold a part of those tokens


def measured(
    servers: Servers,
    material: Material,
    directories: dict[int, Path],
    upstream: int,
    size: Size,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    hot = [material.check("hot", material.token())]
    held = {}
    for count in (1, size.servers):
        name = f"scale-{count}"
        server = servers.toolgate(name, Toolgate(directories[count]), 0)
        load(Row(name, server.target, hot, [server.pid], BY_TOOLGATE), 1.0, 0.2)
        tell(f"{count} servers: what they hold, in {SETTLED:.0f} s")
        time.sleep(SETTLED)
        held[count] = machine.resident(server.pid)
        if count > 1:
            tell(f"one of {count} files changes")
            change = changed(server, directories[count], hot, upstream, size)
        server.process.stop()
    tell(f"{size.tokens} tokens")
    return {
        "servers": size.servers,
        "resident": {str(count): value for count, value in held.items()},
        "bytes_a_server": (held[size.servers] - held[1]) / (size.servers - 1),
        "change": change,
        "tokens": tokens(servers, material, directories[1], size),
    }


def changed(
    server: Server, directory: Path, hot: list[Path], port: int, size: Size
) -> dict[str, float]:
    """Medians over the rounds, each with a window in which nothing changes and one in which one
    file does, at the same rate of requests."""
    row = Row("change", server.target, hot, [server.pid], BY_TOOLGATE, rate=RATE)
    middle = size.servers // 2
    path = directory / f"servers/server-{middle}.yaml"
    rounds: list[dict[str, float]] = []
    window, attempts = WINDOW, 0
    while len(rounds) < size.rounds:
        # Another text each time, or nothing would change.
        more = f", {policies.group(299 - attempts)}"
        text = policies.server(middle, port, more)
        attempts += 1
        quiet, _ = watched(row, server, window, None)
        busy, live = watched(row, server, window, lambda text=text: replace(path, text))
        if BEGINNING + live > window - 0.5:
            window *= 2  # what came later is not in the figures
            continue
        took = [result["cpu_us"][0] * result["answers"] / 1000 for result in (quiet, busy)]
        rounds.append(
            {
                "cpu_ms": took[1] - took[0],
                "live_ms": live * 1000,
                "p99_before": quiet["p99"],
                "p99_during": busy["p99"],
                "p999_before": quiet["p999"],
                "p999_during": busy["p999"],
                "max_before": quiet["max"],
                "max_during": busy["max"],
            }
        )
    return {key: median(entry[key] for entry in rounds) for key in rounds[0]}


def replace(path: Path, text: str) -> None:
    new = path.with_name(".new")
    new.write_text(text)
    new.rename(path)


def watched(
    row: Row, server: Server, seconds: float, change: Callable[[], None] | None
) -> tuple[Result, float]:
    """A window of requests, and the seconds from the change until it was in force. What tells that
    asks as often in a window without a change."""
    before = server.in_force()
    results: list[Result] = []
    failed: list[ProcessError] = []

    def run() -> None:
        try:
            results.append(load(row, seconds, 0.3))
        except ProcessError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(BEGINNING)
    began, live = time.monotonic(), 0.0
    if change:
        change()
    while thread.is_alive():
        if not live and server.in_force() != before:
            live = time.monotonic() - began
        time.sleep(0.05)
    while change and not live:
        if server.in_force() != before:
            live = time.monotonic() - began
        elif time.monotonic() - began > PATIENCE:
            raise ProcessError(f"a change is not in force after {PATIENCE:.0f} s")
        time.sleep(0.05)
    if failed:
        raise failed[0]
    return results[0], live


def tokens(servers: Servers, material: Material, policy: Path, size: Size) -> dict[str, float]:
    """As many tokens as do not fit into the cache, in turn, against none kept at all."""
    requests = [
        material.check(f"token-{number}", material.token("ES256")) for number in range(size.tokens)
    ]
    bounded = servers.toolgate("tokens", Toolgate(policy, cache=size.cache), 0)
    verifying = servers.toolgate("tokens-cold", Toolgate(policy, cache=0), 0)
    found = {}
    # Long enough for all of them and some that come again.
    seconds = size.tokens * 110e-6
    before = machine.resident(bounded.pid)
    for name, server in {"bounded": bounded, "cold": verifying}.items():
        row = Row(f"{size.tokens} tokens", server.target, requests, [server.pid], BY_TOOLGATE)
        result = load(row, seconds, 0.3)
        found[f"{name}_cpu_us"] = result["cpu_us"][0]
        found[f"{name}_answers"] = result["answers"]
    for path in requests:
        path.unlink()
    return {
        **found,
        "tokens": size.tokens,
        "cache_megabytes": size.cache,
        "grown_megabytes": (machine.resident(bounded.pid) - before) / 1e6,
        "ratio": found["bounded_cpu_us"] / found["cold_cpu_us"],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """As text."""
    change, kept = found["change"], found["tokens"]
    held = ", ".join(f"{int(n):,} servers {v / 1e6:.1f} MB" for n, v in found["resident"].items())
    return [
        "Scale",
        f"  memory with {held}: {found['bytes_a_server']:.0f} bytes a server",
        f"  one file of {found['servers']:,} changes at {RATE:,.0f} requests a second: in force "
        f"after {change['live_ms']:.0f} ms, {change['cpu_ms']:.0f} ms of CPU",
        f"    p99 {change['p99_before']:.0f} µs before, {change['p99_during']:.0f} with the change; "
        f"p99.9 {change['p999_before']:.0f} and {change['p999_during']:.0f}; "
        f"at most {change['max_before']:.0f} and {change['max_during']:.0f}",
        f"  {kept['tokens']:,} ES256 tokens in turn, a cache of {kept['cache_megabytes']} MB: "
        f"{kept['bounded_cpu_us']:.1f} µs each, {kept['ratio']:.2f} x none kept; "
        f"{kept['grown_megabytes']:.1f} MB more held",
    ]


def figures(found: dict[str, Any]) -> dict[str, float]:
    """For floors.json."""
    kept = found["tokens"]
    return {
        "bytes a server": found["bytes_a_server"],
        "CPU ms of a change of one file": found["change"]["cpu_ms"],
        "tokens beyond the cache against none kept": found["tokens"]["ratio"],
        "MB held of the cache's": kept["grown_megabytes"] / kept["cache_megabytes"],
    }
