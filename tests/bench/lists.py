"""What looking at a list costs: 10,000 tools in one event, filtered against `lists: full`, through
the same Envoy in turns; and what Toolgate holds while fifty of them flow at once. `--short` for
fewer. Fails if a list is not what it says, or if the event before it waits too long."""

import json
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/demo"), str(ROOT / "tests/e2e")]

import raw  # noqa: E402
import upstream  # noqa: E402
from bad.row import rpc  # noqa: E402
from stack import Stack  # noqa: E402
from wire import USUAL  # noqa: E402

TOOLS = 10_000
AT_ONCE = 50

# How many times longer the event before a list may take than if nobody looked; in five rounds on a
# machine that others use, too, only what is far beyond that says something.
MOST, MOST_IN_SHORT = 2.0, 3.0

# Progress is told while a server is at work, not in one breath with its answer.
PAUSE = 0.05

PROGRESS = b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}\n\n'


def listed() -> bytes:
    """As large as tools are, and one more than anybody may see."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}}
    text = "Does what its name says, as far as anybody knows. " * 2
    tools = [
        {"name": name, "description": text, "inputSchema": schema}
        for name in [*(f"tool-{n:05}" for n in range(TOOLS)), "unreviewed"]
    ]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()


def policy(name: str, port: int, lists: str) -> str:
    tools = "".join(f"  tool-{n:05}: {{ effect: read, sets: [all] }}\n" for n in range(TOOLS))
    return f"""toolgate: 1
server: {name}
environments: {{ dev: {{ upstream: "http://127.0.0.1:{port}/mcp" }} }}
lists: {lists}
tools:
{tools}grants:
  all: {{ people: [ads], via: [ide], call: [all] }}
"""


def main() -> None:
    short = "--short" in sys.argv
    rounds, most = (5, MOST_IN_SHORT) if short else (40, MOST)
    with ExitStack() as stand:
        servers = {name: stand.enter_context(upstream.running()) for name in ("filtered", "full")}
        event = b"data: " + listed() + b"\n\n"
        for server in servers.values():
            server.says(*upstream.chunked([PROGRESS, PAUSE, event]))

        def edit(work: Path) -> None:
            for name, server in servers.items():
                text = policy(name, server.port, name)
                (work / f"policies/servers/{name}.yaml").write_text(text)
            guardrails = work / "policies/guardrails.yaml"
            hosts = "".join(f'"127.0.0.1:{server.port}", ' for server in servers.values())
            # The last environment is dev.
            before, key, after = guardrails.read_text().rpartition("upstreams: [")
            guardrails.write_text(before + key + hosts + after)

        stack = stand.enter_context(
            Stack(ROOT / "target/bench/lists", edit=edit, toolgate="../release/toolgate")
        )
        ratio = measure(stack, rounds, len(event))
    if ratio > most:
        sys.exit(f"the event before a list takes more than {most} x as long")


def measure(stack: Stack, rounds: int, size: int) -> float:
    """How many times longer the event before the list takes."""
    caller = Caller(stack)
    times: dict[str, list[tuple[float, float]]] = {"filtered": [], "full": []}
    for at in range(rounds + 1):
        for name in sorted(times, reverse=at % 2 == 0):
            first, last, received = caller.ask(name)
            assert (b"unreviewed" in received) == (name == "full"), f"{name} is not what it says"
            assert b'"tool-09999"' in received
            if at:  # the first is for the connections
                times[name].append((first, last))
    print(f"{TOOLS} tools in one event of {size / 1e6:.1f} MB, {rounds} rounds, medians")
    medians = {
        name: [statistics.median(column) * 1000 for column in zip(*samples)]
        for name, samples in times.items()
    }
    for name, (first, last) in medians.items():
        print(f"  {name:9} event before the list {first:7.1f} ms   the list {last:7.1f} ms")
    ratios = [f / u for f, u in zip(medians["filtered"], medians["full"])]
    print(f"  filtered against full: {ratios[0]:.2f} x, {ratios[1]:.2f} x")

    before = resident(stack)
    threads = [threading.Thread(target=caller.ask, args=("filtered",)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    most = before
    while any(thread.is_alive() for thread in threads):
        most = max(most, resident(stack))
        time.sleep(0.02)
    print(f"  {AT_ONCE} at once: {(most - before) / 1e6:.0f} MB more than the {before / 1e6:.0f} before")
    return ratios[0]


def resident(stack: Stack) -> float:
    return stack.metrics()["process_resident_memory_bytes"]


class Caller:
    def __init__(self, stack: Stack) -> None:
        self.stack, self.token = stack, stack.sign_in("alice", ttl=3600)
        self.tls = raw.tls(stack.ca, stack.cert("ide"))

    def ask(self, server: str) -> tuple[float, float, bytes]:
        """Seconds to the first event and, without the pause, to the last byte; and everything."""
        began, received, first = None, bytearray(), None
        headers = [*USUAL, ("Connection", "close"), ("Authorization", f"Bearer {self.token}")]
        request = raw.request("POST", f"/{server}/mcp", headers, rpc("tools/list"))
        for piece in self.pieces(request):
            if began is None:
                began = time.perf_counter()
                continue
            received += piece
            if first is None and b"progress" in received:
                first = time.perf_counter() - began
        assert began is not None and first is not None, bytes(received[:300])
        return first, time.perf_counter() - began - PAUSE, bytes(received)

    def pieces(self, request: bytes) -> Iterator[bytes]:
        """Nothing when the request has been sent, and then what comes."""
        address = ("127.0.0.1", self.stack.ports["mtls"])
        with socket.create_connection(address, 60) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.tls.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(request)
                yield b""
                try:
                    while piece := connection.recv(1 << 18):
                        yield piece
                except ssl.SSLEOFError:
                    return


if __name__ == "__main__":
    main()
