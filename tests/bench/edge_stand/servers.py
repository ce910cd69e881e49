"""The processes that are compared: an authorizer that only says OK, Toolgate, OPA; and Envoy."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_stand import machine
from process import Process, ProcessError
from stack import answers, listens
from workspace import REPOSITORY

RELEASE = REPOSITORY / "target/release"

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

RECORDS = "toolgate_decision_log_records_total{"

FILE = "decisions: { file: { path: decisions.jsonl, max_megabytes: 100, keep: 1 } }\n"

CONFIG = """toolgate: 1
listen: {{ grpc: "{grpc}", http: 127.0.0.1:{http} }}
policies: {policies}
public_url: https://mcp.example.com
issuers:
  corp:
    issuer: https://login.example.com
    audiences: ["https://mcp.example.com"]
    keys: {{ file: {jwks} }}
    algorithms: [RS256, ES256, EdDSA]
    claims: {{ subject: /sub, email: /email, groups: [/groups] }}
workloads: {{ trust_domains: [prod.example.com] }}
{decisions}tokens: {{ cache_megabytes: {cache} }}
envoy:
  listen: {{ mtls: 127.0.0.1:{mtls}, plain: 127.0.0.1:{plain} }}
  certificate: {{ cert: {certs}/envoy.pem, key: {certs}/envoy.key }}
  bundles: {certs}/bundles.json
  files: .
"""


@dataclass(frozen=True)
class Server:
    """A process, and where it answers."""

    process: Process
    target: str
    http: int = 0  # where Toolgate tells of itself

    @property
    def pid(self) -> int:
        return self.process.pid

    def in_force(self) -> str:
        """The digest of Toolgate's policies in force."""
        with _http.open(f"http://127.0.0.1:{self.http}/status", timeout=5) as answer:
            status: dict[str, Any] = json.load(answer)
        return str(status["policy"]["digest"])

    def records(self) -> dict[str, float]:
        """How many of Toolgate's records were written, and how many found no room."""
        with _http.open(f"http://127.0.0.1:{self.http}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if line.startswith(RECORDS)]
        return {
            outcome: sum(float(count) for name, count in samples if f'"{outcome}"' in name)
            for outcome in ("written", "dropped")
        }


@dataclass(frozen=True)
class Toolgate:
    """How a Toolgate is configured."""

    policies: Path
    cache: int = 32
    decisions: str = ""
    tcp: bool = False


class Servers:
    """Starts processes in a directory; all of them end with the `with` block."""

    def __init__(self, work: Path, jwks: Path, certs: Path, port: Callable[[], int]) -> None:
        self.work, self._jwks, self._certs, self.port = work, jwks, certs, port
        self._running = ExitStack()
        self.opa_program = Path()  # once it is known to be there

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @contextmanager
    def apart(self) -> Iterator["Servers"]:
        """The same place for others, which end sooner."""
        with Servers(self.work, self._jwks, self._certs, self.port) as others:
            others.opa_program = self.opa_program
            yield others

    def start(
        self,
        name: str,
        command: list[str | Path],
        ready: Callable[[], bool],
        core: int | None,
        *,
        silent: bool = False,
    ) -> Process:
        parts = machine.pinned(core, [str(part) for part in command])
        directory = self.directory(name)
        log = directory / "log"
        process = Process(name, parts, ready, cwd=directory, log=log, patience=120)
        if silent:
            process.stdout = Path(os.devnull)
        self._running.callback(process.stop)
        process.start()
        return process

    def directory(self, name: str) -> Path:
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _address(self, name: str, tcp: bool) -> tuple[str, Callable[[], bool]]:
        if tcp:
            port = self.port()
            return f"127.0.0.1:{port}", lambda: listens(port)
        # Relative, since the path of a socket must be short.
        socket = self.directory(name) / "grpc" / "s"
        socket.parent.mkdir(mode=0o750, exist_ok=True)
        return f"unix:{socket}", socket.exists

    def ok(self, name: str, *, tcp: bool, core: int | None) -> Server:
        address, ready = self._address(name, tcp)
        command = [RELEASE / "examples/bench_ok", "--grpc", address]
        return Server(self.start(name, [*command], ready, core), address)

    def upstream(self, core: int | None) -> int:
        """The port where everything is answered with a small document."""
        port = self.port()
        command = [RELEASE / "examples/bench_ok", "--http", f"127.0.0.1:{port}"]
        self.start("upstream", [*command], lambda: listens(port), core)
        return port

    def toolgate(self, name: str, how: Toolgate, core: int | None) -> Server:
        address, _ = self._address(name, how.tcp)
        http = self.port()
        config = self.configure(name, how, address, http)
        command = [RELEASE / "toolgate", "serve", "--config", config]
        # Decisions are always recorded; unless the row is about that, to where it costs least.
        process = self.start(name, [*command], lambda: answers(http, "/readyz"), core, silent=True)
        return Server(process, address, http)

    def configure(self, name: str, how: Toolgate, grpc: str, http: int) -> Path:
        path = self.directory(name) / "toolgate.yaml"
        text = CONFIG.format(
            grpc=grpc,
            http=http,
            policies=how.policies,
            jwks=self._jwks,
            decisions=how.decisions,
            cache=how.cache,
            certs=self._certs,
            mtls=self.port(),
            plain=self.port(),
        )
        path.write_text(text)
        return path

    def opa(self, name: str, config: dict[str, Any], core: int | None) -> Server:
        port, http = self.port(), self.port()
        config["plugins"]["envoy_ext_authz_grpc"]["addr"] = f"127.0.0.1:{port}"
        directory = self.directory(name)
        (directory / "config.json").write_text(json.dumps(config))
        command: list[str | Path] = [self.opa_program, "run", "--server", "--disable-telemetry"]
        command += ["--addr", f"127.0.0.1:{http}", "--log-level", "error", "--config-file"]
        command += [directory / "config.json", Path(__file__).parents[1] / "opa/policy.rego"]
        command += [self.work / "opa-data.json"]
        process = self.start(name, command, lambda: answers(http, "/health?plugins"), core)
        return Server(process, f"127.0.0.1:{port}")


def toolgate(*arguments: str | Path) -> str:
    """The output of one command."""
    command = [str(RELEASE / "toolgate"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProcessError(f"`{' '.join(command)}` failed\n{done.stdout}{done.stderr}")
    return done.stdout
