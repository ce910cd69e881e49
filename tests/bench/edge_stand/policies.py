"""Policy directories of any size. Each server is like every other one, and reviewed."""

import json
import shutil
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

GROUPS = 300

CHAT = "spiffe://prod.example.com/ns/ai-chat/sa/webapp"

# What is asked for, of `server-0`, which stands in every directory.
SERVER = "server-0"
TOOL, REFUSED_TOOL = "query_things", "update_things"


def group(number: int) -> str:
    return f"mcp-team-{number % GROUPS:03}"


# The caller's groups in the order of a token; one of them is granted TOOL.
CALLERS_GROUPS = [group(number) for number in [*range(41, 60), 2]]

SURFACES = f"""toolgate: 1
surfaces:
  ai-chat: {{ workloads: ["{CHAT}"], reaches: [prod] }}
  ide: {{ workloads: ["spiffe://prod.example.com/ns/ide-gateway/sa/gateway"], reaches: [prod] }}
  desk: {{ workloads: none, reaches: [prod] }}
services:
  nightly: {{ workloads: ["spiffe://prod.example.com/ns/nightly/sa/job"], reaches: [prod] }}
"""

TOOLS = f"""tools:
  list_things: {{ effect: read, minutes_saved: 2 }}
  {TOOL}:
    effect: read
    minutes_saved: 8
    limits:
      /limit: {{ between: [1, 10000] }}
      /sql: {{ max_length: 20000 }}
    accepts: [sql, limit]
  {REFUSED_TOOL}: {{ effect: write, approval: another-person, minutes_saved: 5 }}
"""

# The tools of the grants of a server, and the places that they are for.
GRANTS = [
    ("list_things", "ai-chat, ide"),
    ("list_things, query_things", "ai-chat, ide, desk"),
    ("query_things", "ai-chat"),
    ("list_things", "ai-chat, ide"),
    ("update_things", "ai-chat, ide"),
]


def host(server: int, port: int) -> str:
    return f"127.0.{server // 250}.{server % 250 + 1}:{port}"


def server(index: int, port: int, more: str = "") -> str:
    """One server's file, with `more` groups in its first grant."""
    last_day = date.today() + timedelta(days=60)
    text = f"""toolgate: 1
server: server-{index}
about:
  title: Server {index}
  description: One of many servers that somebody looks after
  owner: {group(index)}
  support: "#server-{index}"
environments:
  prod: {{ upstream: "http://{host(index, port)}/mcp", reviews: [SEC-1] }}
{TOOLS}grants:
"""
    for number, (call, via) in enumerate(GRANTS):
        people = f"{group(index + number + 1)}, {group(index * 7 + number * 13 + 101)}"
        text += f"  grant-{number}:\n    people: [{people}{'' if number else more}]\n"
        text += f"    via: [{via}]\n    in: [prod]\n    call: [{call}]\n"
        if REFUSED_TOOL in call:
            text += f"    last_day: {last_day}\n"
    return text


def directory(path: Path, servers: int, port: int, digest: str | None) -> None:
    """Writes a directory; `digest` is what its review covers. Upstreams listen at `port`."""
    shutil.rmtree(path, ignore_errors=True)
    (path / "servers").mkdir(parents=True)
    numbers = range(servers)
    today = date.today()
    review = f"toolgate: 1\nreviews:\n  SEC-1:\n    kind: security\n    approved: {today}\n"
    review += f"    last_day: {today + timedelta(days=180)}\n    covers:"
    covered = [f"      server-{number}: {json.dumps(digest)}" for number in numbers]
    files = {
        "surfaces.yaml": SURFACES,
        "groups.yaml": _lines("toolgate: 1\ngroups:", GROUPS, lambda n: f"  {group(n)}: {{}}"),
        "guardrails.yaml": "toolgate: 1\nenvironments:\n  prod:\n    reviews: [security]\n"
        + _lines("    upstreams:", servers, lambda n: f'      - "{host(n, port)}"')
        + "approval: { write: another-person }\n",
        # Without a digest, `toolgate reviews stamp` has it written.
        "reviews.yaml": review + ("\n" + "\n".join(covered) if digest else " {}") + "\n",
    }
    files |= {f"servers/server-{number}.yaml": server(number, port) for number in numbers}
    for name, text in files.items():
        (path / name).write_text(text)


def digest(path: Path) -> str:
    """What `toolgate reviews stamp` wrote."""
    line = next(line for line in (path / "reviews.yaml").read_text().splitlines() if SERVER in line)
    return line.split(f"{SERVER}:")[1].strip(" {}\"'")


def _lines(first: str, count: int, line: Callable[[int], str]) -> str:
    lines: Iterable[str] = map(line, range(count))
    return "\n".join([first, *lines]) + "\n"
