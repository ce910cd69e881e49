"""The demo: real MCP calls through a real Envoy, and what Toolgate made of each.

Afterwards everything stays up for commands of your own; with ONCE=1 it ends, with status 0 if
every call was answered as it should be.
"""

import asyncio
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from process import ProcessError
from stack import Stack, binary
from story import ALLOWED, STORY, Answer, Call, make
from workspace import REPOSITORY

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
GREEN, RED, DIM = "32", "31", "2"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # refusals are what we are here for
    print("Starting an identity provider, six MCP servers, Toolgate and Envoy.", flush=True)
    try:
        with Stack(REPOSITORY / "target/demo", fixed_ports=True) as stack:
            as_told = asyncio.run(tell(stack))
            if os.environ.get("ONCE") == "1":
                return 0 if as_told else 1
            print(f"\n{farewell(stack)}", flush=True)
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except ProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\nEverything is stopped.")
    return 0


async def tell(stack: Stack) -> bool:
    """Makes every call of the story; whether each was answered as told."""
    print(f"Envoy listens on {stack.https} (mutual TLS) and {stack.http} (plain).")
    print("Toolgate decides who may call what, from where:\n")
    print(paint(DIM, line("WHO", "FROM", "CALLS", "ANSWER ", "REASON, OR WHAT THE SERVER SAW")))
    wrong = 0
    for call in STORY:
        answer = await make(stack, call)
        wrong += not as_told(call, answer)
        print(row(call, answer), flush=True)
    if wrong:
        print(paint(RED, f"\n{wrong} of {len(STORY)} calls were not answered as they should be."))
    else:
        print(f"\n{len(STORY)} calls, each answered as it should be.")
    return not wrong


def as_told(call: Call, answer: Answer) -> bool:
    """Whether the answer is the expected one, and the server was told who called."""
    if (answer.verdict, answer.status) != (call.expected, call.status):
        return False
    is_list = call.tool is None
    return is_list or call.expected != ALLOWED or answer.text.splitlines()[-1] == call.seen


def row(call: Call, answer: Answer) -> str:
    if answer.verdict == ALLOWED:
        said, colour = "allowed", GREEN
        why = answer.text.splitlines()[-1].removeprefix("seen by the server: ")
    else:
        said, colour = "refused", RED
        shape = "JSON-RPC error" if answer.status == 200 else f"HTTP {answer.status}"
        why = f"{answer.verdict} ({shape})"
    text = line(call.who, call.place, call.what, paint(colour, said), why)
    if call.note:
        text += paint(DIM, f"  # {call.note}")
    if not as_told(call, answer):
        expected = f"{call.expected}, HTTP {call.status}"
        text += paint(RED, f"\n  expected {expected}; got HTTP {answer.status}: {answer.text}")
    return text


def line(who: str, place: str, what: str, answer: str, why: str) -> str:
    def width(texts: Iterable[str]) -> int:
        return max(map(len, texts)) + 2

    return (
        who.ljust(width(call.who for call in STORY))
        + place.ljust(width(call.place for call in STORY))
        + what.ljust(width(call.what for call in STORY))
        + f"{answer}  {why}"
    )


def paint(colour: str, text: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


def farewell(stack: Stack) -> str:
    parts = ["Everything stays up until Ctrl-C. In another terminal, from this directory:"]
    parts += [f"# {title}\n{command}" for title, command in commands(stack).items()]
    run = _shown(stack.run)
    parts.append(
        f"Policies:  {_shown(stack.work / 'policies')} (edit them: they take effect)\n"
        f"Decisions: {run}/toolgate.log\n"
        f"Requests that reached a server: {run}/upstream.jsonl"
    )
    return "\n\n".join(parts)


def commands(stack: Stack) -> dict[str, str]:
    """What to type, by what it does."""
    certs, toolgate = stack.run / "certs", _shown(binary("toolgate"))
    mtls = (
        f"--cacert {_shown(certs / 'ca.pem')} "
        f"--cert {_shown(certs / 'ai-chat.pem')} --key {_shown(certs / 'ai-chat.key')}"
    )
    alice, erin = _token(stack, "alice", "ads"), _token(stack, "erin", "ads-eng,data-trained")
    challenge = f"{stack.http}/.well-known/oauth-protected-resource/presto/mcp"
    return {
        "alice, from the AI chat, lists tables: allowed": (
            f"{alice}\n{_curl(stack.url('presto'), 'list_tables', mtls)}"
        ),
        "the same for revenue: refused": _curl(stack.url("presto"), "get_revenue_metrics", mtls),
        "erin, from a laptop without a certificate, uses a dev server: allowed": (
            f"{erin}\n{_curl(stack.url('lab', plain=True), 'roll_dice', '')}"
        ),
        "where a client learns how to sign in": f"curl -s {challenge}",
        "why alice was refused": (
            f"{toolgate} explain presto/get_revenue_metrics --groups ads --via ai-chat"
            f" --policies {_shown(stack.work / 'policies')}"
        ),
        "how Toolgate is doing": f"{toolgate} status --config {_shown(stack.config)}",
        "minutes that allowed calls saved": (
            f"curl -s http://127.0.0.1:{stack.ports['toolgate']}/metrics | grep minutes_saved_total"
        ),
    }


def _token(stack: Stack, sub: str, groups: str) -> str:
    program = _shown(binary("examples/dev_identity"))
    keys = _shown(stack.run / "identity")
    return (
        f"TOKEN=$({program} token --keys {keys} --sub {sub} --groups {groups} --ttl 3600"
        " 2>/dev/null)"
    )


def _curl(url: str, tool: str, tls: str) -> str:
    meta = '"io.modelcontextprotocol/protocolVersion":"2026-07-28"'
    meta += ',"io.modelcontextprotocol/clientCapabilities":{}'
    params = f'{{"name":"{tool}","arguments":{{}},"_meta":{{{meta}}}}}'
    headers = [
        "'Content-Type: application/json'",
        "'Accept: application/json, text/event-stream'",
        "'MCP-Protocol-Version: 2026-07-28'",
        "'Mcp-Method: tools/call'",
        f"'Mcp-Name: {tool}'",
    ]
    lines = [f"curl -s {url}" + (f" {tls}" if tls else ""), '-H "Authorization: Bearer $TOKEN"']
    lines += [f"-H {header}" for header in headers]
    lines += [f'-d \'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}\'']
    return " \\\n  ".join(lines)


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    return shlex.quote(os.path.relpath(path))


if __name__ == "__main__":
    sys.exit(main())
