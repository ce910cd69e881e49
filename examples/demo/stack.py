"""Everything on the loopback: an identity provider, MCP servers, Toolgate, and Envoy before them.

with Stack(REPOSITORY / "target/demo") as stack:
    stack.url("presto"), stack.sign_in("alice"), stack.cert("ai-chat"), stack.records()
"""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from people import GROUPS
from process import Process, ProcessError
from workspace import REPOSITORY, choose_ports, copy_samples

SERVERS = ["presto", "presto-staging", "spark", "airflow", "knowledge", "lab"]

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


@dataclass(frozen=True)
class Record:
    """One request as a sample server received it."""

    server: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def rpc(self) -> str | None:
        """The JSON-RPC method."""
        return json.loads(self.body).get("method") if self.body else None

    @property
    def params(self) -> dict[str, Any]:
        """The JSON-RPC parameters."""
        params: dict[str, Any] = json.loads(self.body)["params"]
        return params


class Stack:
    """Runs from `with` to the end of its block, in the directory `work`, which it empties first.

    `edit` may change the copied policies and configuration before anything reads them;
    `short_seconds` is how long the certificate `short` is valid; `toolgate` is the binary that is
    Toolgate, `ready` what it answers once the rest may begin, and `environment` what it finds
    there beside our own."""

    def __init__(
        self,
        work: Path,
        *,
        fixed_ports: bool = False,
        edit: Callable[[Path], None] | None = None,
        short_seconds: int = 8,
        toolgate: str = "toolgate",
        ready: str = "/readyz",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.work, self.run = work, work / "run"
        self.config = work / "envoy/toolgate.yaml"
        self.ports = choose_ports(fixed=fixed_ports)
        self.processes: dict[str, Process] = {}
        self._edit, self._short_seconds = edit, short_seconds
        self._toolgate, self._ready = toolgate, ready
        self._environment = environment
        self._lock: int | None = None
        self._recorded = self.run / "upstream.jsonl"

    def __enter__(self) -> "Stack":
        try:
            self._take_directory()
            self._prepare()
            self._start_all()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops everything; what it wrote stays, to be looked at."""
        for process in reversed(self.processes.values()):
            process.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Where things are.

    @property
    def https(self) -> str:
        return f"https://localhost:{self.ports['mtls']}"

    @property
    def http(self) -> str:
        return f"http://localhost:{self.ports['plain']}"

    def url(self, server: str, *, plain: bool = False) -> str:
        """An endpoint, such as that of `presto` or `presto@staging`."""
        return f"{self.http if plain else self.https}/{server}/mcp"

    @property
    def ca(self) -> str:
        return str(self.run / "certs/ca.pem")

    def cert(self, workload: str) -> tuple[str, str]:
        """The files of a workload's certificate and key."""
        certs = self.run / "certs"
        return str(certs / f"{workload}.pem"), str(certs / f"{workload}.key")

    @property
    def grpc(self) -> Path:
        """Where Envoy asks Toolgate."""
        return self.run / "grpc/toolgate.sock"

    # Who is calling.

    def token(self, sub: str, groups: list[str] | None = None, **claims: str | int) -> str:
        """A token from the identity provider; `claims` as its `/token` takes them."""
        query = {"sub": sub, **claims}
        if groups is not None:
            query["groups"] = ",".join(groups)
        base = f"http://127.0.0.1:{self.ports['identity']}/token"
        with _http.open(f"{base}?{urllib.parse.urlencode(query)}") as answer:
            return str(json.load(answer)["access_token"])

    def sign_in(self, person: str, **claims: str | int) -> str:
        """A token of somebody whom the samples know."""
        return self.token(person, GROUPS[person], email=f"{person}@example.com", **claims)

    # What came out behind Envoy.

    def mark(self) -> int:
        """Where the record stands now, for `records`."""
        return self._recorded.stat().st_size

    def records(self, since: int = 0) -> list[Record]:
        """What the servers received since a mark, in order."""
        with self._recorded.open("rb") as file:
            file.seek(since)
            entries = [json.loads(line) for line in file]
        return [
            Record(**{**entry, "headers": [(name, value) for name, value in entry["headers"]]})
            for entry in entries
        ]

    def decisions(self) -> list[dict[str, Any]]:
        """Toolgate's decision record so far."""
        lines = (self.run / "toolgate.log").read_text(errors="replace").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [entry for entry in entries if "verdict" in entry]

    def decision(self, decision_id: str) -> dict[str, Any]:
        """One decision, which is written a moment after it was answered."""
        deadline = time.monotonic() + 5
        while True:
            if found := [entry for entry in self.decisions() if entry["id"] == decision_id]:
                (entry,) = found
                return entry
            if time.monotonic() > deadline:
                raise ProcessError(f"decision {decision_id} is not recorded")
            time.sleep(0.05)

    # What can go wrong with a process.

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Without one process, which is back afterwards."""
        self.processes[name].stop()
        try:
            yield
        finally:
            self.processes[name].start()

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """With one process that is there but does nothing."""
        self.processes[name].pause()
        try:
            yield
        finally:
            self.processes[name].resume()

    def toolgate(self, *arguments: str) -> str:
        """The output of one `toolgate` command, in the configuration's directory."""
        return self._once("toolgate", *arguments)

    def identity(self, *arguments: str) -> str:
        """The output of one command of the identity provider, in the same directory."""
        return self._once("examples/dev_identity", *arguments)

    def attempt(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """How one command ended, well or not, in the same directory."""
        command = [str(binary(program)), *arguments]
        return subprocess.run(
            command, cwd=self.work / "envoy", capture_output=True, text=True, check=False
        )

    # What Toolgate says of itself.

    def admin(self, path: str) -> tuple[int, str]:
        """Status and body of a GET at its own port."""
        try:
            base = f"http://127.0.0.1:{self.ports['toolgate']}"
            with _http.open(f"{base}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.admin("/status")[1])
        return document

    def metrics(self) -> dict[str, float]:
        """Values by name and labels, as they are written in the format."""
        lines = self.admin("/metrics")[1].splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removesuffix("{}"): float(value) for name, value in samples}

    def in_force(self) -> str:
        """The digest of the policies in force."""
        return str(self.status()["policy"]["digest"])

    # Getting there.

    def _take_directory(self) -> None:
        self.work.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(f"{self.work}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(f"somebody else runs in {self.work}\nhint: end that first") from None
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.run.mkdir()

    def _prepare(self) -> None:
        copy_samples(self.work, self.ports, datetime.now(timezone.utc).date())
        if self._edit:
            self._edit(self.work)
        certs, short = str(self.run / "certs"), str(self._short_seconds)
        self.identity("pki", "--dir", certs, "--short-seconds", short)

    def _start_all(self) -> None:
        ports = self.ports
        self._start(
            "identity",
            [binary("examples/dev_identity"), "serve", "--keys", self.run / "identity"]
            + ["--listen", f"127.0.0.1:{ports['identity']}"],
            lambda: answers(ports["identity"], "/healthz"),
        )
        listen = [f"--{name}=127.0.0.1:{ports[name]}" for name in SERVERS]
        self._start(
            "servers",
            [binary("examples/sample_servers"), "--record", self._recorded, *listen],
            # A request would stand in the record.
            lambda: all(listens(ports[name]) for name in SERVERS),
        )
        self.toolgate("reviews", "stamp", "--policies", "../policies")
        self.toolgate("envoy", "--config", "toolgate.yaml", "--out", ".", "--plain")
        self._start(
            "toolgate",
            [binary(self._toolgate), "serve", "--config", "toolgate.yaml"],
            lambda: answers(ports["toolgate"], self._ready),
            self._environment,
        )
        self._start(
            "envoy",
            [envoy(), "--config-path", "envoy.json", "--log-level", "warning"]
            + ["--disable-hot-restart", "--concurrency", "2", "--file-flush-interval-msec", "200"],
            lambda: answers(ports["plain"], "/", status=404),
        )

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        log, cwd = self.run / f"{name}.log", self.work / "envoy"
        process = Process(name, command, ready, cwd=cwd, log=log, environment=environment)
        self.processes[name] = process
        process.start()

    def _once(self, program: str, *arguments: str) -> str:
        done = self.attempt(program, *arguments)
        if done.returncode != 0:
            shown = " ".join([program, *arguments])
            raise ProcessError(f"`{shown}` ended with status {done.returncode}\n{done.stderr}")
        return done.stdout


def binary(name: str) -> Path:
    """What `cargo build --bins --examples` made; with TOOLGATE_PROFILE=release what that and
    `--release` made."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    profile = os.environ.get("TOOLGATE_PROFILE", "debug")
    path = target / profile / name
    if not path.exists():
        flags = " --release" if profile == "release" else ""
        raise ProcessError(f"{path} is not built\nhint: cargo build --bins --examples{flags}")
    return path


def envoy() -> Path:
    """The Envoy of this Python environment, or of the one that is always made."""
    cache = REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache")
    for environment in [Path(sys.prefix), cache / "venv"]:
        if (path := environment / "bin/envoy").exists():
            return path
    raise ProcessError("there is no Envoy\nhint: examples/demo/bootstrap")


def listens(port: int) -> bool:
    """Whether a server on the loopback takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def answers(port: int, path: str, status: int = 200) -> bool:
    """Whether a server on the loopback answers a GET with `status`."""
    try:
        with _http.open(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == status)
    except urllib.error.HTTPError as error:
        return error.code == status
    except OSError:
        return False
