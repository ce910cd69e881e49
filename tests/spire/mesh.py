"""Two trust domains, the workloads of the samples in one of them, and Envoy fed by its agent."""

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import envoy as envoy_package
from cryptography import x509

import raw
from authority import Authority
from process import ProcessError
from raw import Answer
from spire import Agent, Server, binary, once
from stack import Stack, binary as built
from story import LAPTOP
from wire import Wire
from workspace import REPOSITORY, choose_ports

DOMAIN, PARTNER = "prod.example.com", "partner.example"
ENVOY = f"spiffe://{DOMAIN}/ns/mcp/sa/envoy"
TOOLGATE = f"spiffe://{DOMAIN}/ns/mcp/sa/toolgate"

# By the name of their program, as policies/surfaces.yaml knows them, and one that it does not.
WORKLOADS = {
    "ai-chat": f"spiffe://{DOMAIN}/ns/ai-chat/sa/webapp",
    "ide": f"spiffe://{DOMAIN}/ns/ide-gateway/sa/gateway",
    "chat-bot": f"spiffe://{DOMAIN}/ns/chat-bot/sa/bot",
    "nightly-lineage": f"spiffe://{DOMAIN}/ns/lineage/sa/nightly",
    "stranger": f"spiffe://{DOMAIN}/ns/stranger/sa/stranger",
}

# Behind Envoy, and not one of the sample servers: tests start it.
KNOWLEDGE = f"spiffe://{DOMAIN}/ns/knowledge/sa/server"

# Of the other trust domain, and only the first stands in this mesh's policies.
PARTNERS = {
    "partner-ide": f"spiffe://{PARTNER}/ns/ide/sa/gateway",
    "partner-chat": f"spiffe://{PARTNER}/ns/ai-chat/sa/webapp",
}

# A service of the other trust domain, beside the sample's own.
PARTNER_SERVICE = f"spiffe://{PARTNER}/ns/lineage/sa/nightly"


class Workload:
    """A program that the agent knows by its path, and the certificate that it has."""

    def __init__(self, name: str, agent: Agent, run: Path) -> None:
        self.name, self.program = name, run / name
        self._agent, self._run = agent, run / f"{name}.svid"
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._ask_again = 0.0
        self.expires = self.number = 0
        self._run.mkdir()
        shutil.copy(binary("spire-agent"), self.program)

    def fetch(self) -> None:
        """Asks the agent for the certificate that it has for this program now."""
        self.fetch_only()
        leaf = x509.load_pem_x509_certificate((self._run / "svid.0.pem").read_bytes())
        self._context = raw.tls(self.ca, self.cert)
        self.number = leaf.serial_number
        self.expires = int(leaf.not_valid_after_utc.timestamp())
        lives = self.expires - time.time()
        self._ask_again = time.monotonic() + lives / 8

    def fetch_only(self) -> None:
        where = ["-socketPath", str(self._agent.socket), "-write", str(self._run)]
        once(self.program, "api", "fetch", "x509", *where)

    def tls(self) -> ssl.SSLContext:
        """What it speaks now. While the agent is away, what it spoke last."""
        with self._lock:
            if self._context is None:
                self._wait()
            elif time.monotonic() > self._ask_again:
                with suppress(ProcessError):
                    self.fetch()
            assert self._context is not None
            return self._context

    def _wait(self) -> None:
        """An agent hears of a new entry within some seconds."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.fetch()
            except ProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    @property
    def cert(self) -> tuple[str, str]:
        return str(self._run / "svid.0.pem"), str(self._run / "svid.0.key")

    @property
    def ca(self) -> str:
        return str(self._run / "bundle.0.pem")


class Mesh(Wire):
    """Runs from `start` to `stop`, and sends requests as its workloads do. `seconds` is how long
    certificates live; those of the partner's live longer."""

    def __init__(self, run: Path, sockets: Path, seconds: int) -> None:
        self.run, self.seconds = run, seconds
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        ours, theirs, self.grpc, *_ = choose_ports(fixed=False).values()
        # The partner's key is in our hands, so that it can sign what it must not.
        self.partner_key = Authority(run / "partner-ca", PARTNER)
        upstream = f"""UpstreamAuthority "disk" {{ plugin_data {{
            cert_file_path = "{self.partner_key.ca}" key_file_path = "{self.partner_key.key}"
        }} }}"""
        self.server = Server(DOMAIN, ours, run / "server", sockets)
        self.partner = Server(PARTNER, theirs, run / "partner", sockets, upstream)
        self.workloads: dict[str, Workload] = {}
        self.entries: dict[str, str] = {}
        self._sockets = sockets

    def start(self) -> None:
        self.server.process.start()
        self.partner.process.start()
        self.server.believe(self.partner)
        self.agent = Agent(self.server, self.run / "agent", self._sockets)
        self.agent.process.start()
        programs = self.run / "programs"
        programs.mkdir()
        for name, identity in WORKLOADS.items():
            self.admit(name, identity, self.seconds)
        names = ["-dns", "localhost", "-federatesWith", f"spiffe://{PARTNER}"]
        envoy = Path(envoy_package.__file__).resolve().parent / "_bin/envoy"
        self.agent.register(ENVOY, envoy, self.seconds, names)
        self.admit_toolgate()
        super().__init__(Stack(self.run / "stack", edit=self._edit))
        self.stack.__enter__()
        self.wait_for_envoy()

    def wait_for_envoy(self) -> None:
        self.stack.processes["envoy"].wait_until(
            lambda: self.status("ai-chat") == 404, "has no certificate"
        )

    def stop(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()
        for process in [getattr(self, "agent", None), self.server, self.partner]:
            if process is not None:
                process.process.stop()

    def admit(self, name: str, identity: str, seconds: int) -> Workload:
        workload = Workload(name, self.agent, self.run / "programs")
        self.entries[name] = self.agent.register(identity, workload.program, seconds)
        self.workloads[name] = workload
        return workload

    def admit_toolgate(self, partners: Sequence[str] = (PARTNER,)) -> None:
        names = [part for name in partners for part in ["-federatesWith", f"spiffe://{name}"]]
        program = built("toolgate").resolve()
        self.entries["toolgate"] = self.agent.register(TOOLGATE, program, self.seconds, names)

    def status(self, place: str) -> int:
        """What a request without anything gets: 0 without a connection."""
        return self.exchange(raw.request("GET", "/"), place).status

    def exchange(self, sent: bytes, place: str) -> Answer:
        if place == LAPTOP:
            return super().exchange(sent, place)
        tls = self.tls_of(place)
        return raw.exchange(self.stack.ports["mtls"], sent, tls)

    def tls_of(self, place: str) -> ssl.SSLContext:
        if place in PARTNERS:
            cert = self.partner.mint(PARTNERS[place], self.run / place, 600)
            return self.with_cert(cert)
        return self.workloads[place].tls()

    def wait_for_fresh(self, place: str) -> None:
        """Waits until a workload's certificate and Envoy's have most of their life before them."""
        least = 0.6 * self.seconds
        workload = self.workloads[place]

        def fresh() -> bool:
            workload.fetch()
            return min(workload.expires, self._envoy_expires(place)) - time.time() > least

        self.stack.processes["envoy"].wait_until(fresh, "has no fresh certificate")

    def _envoy_expires(self, place: str) -> float:
        with socket.create_connection(("127.0.0.1", self.stack.ports["mtls"]), raw.PATIENCE) as plain:
            with self.tls_of(place).wrap_socket(plain, server_hostname="localhost") as wrapped:
                leaf = wrapped.getpeercert(binary_form=True)
        assert leaf is not None
        return x509.load_der_x509_certificate(leaf).not_valid_after_utc.timestamp()

    def with_cert(self, cert: tuple[str, str]) -> ssl.SSLContext:
        """A client that believes Envoy, and shows this."""
        self.workloads["ai-chat"].tls()
        return raw.tls(self.workloads["ai-chat"].ca, cert)

    def _edit(self, work: Path) -> None:
        config = work / "envoy/toolgate.yaml"
        text = config.read_text()
        begin, end = text.index("  certificate: {"), text.index("  files: .")
        text = f"{text[:begin]}  spire: unix:{self.agent.socket}\n{text[end:]}"
        domains = f"trust_domains: [{DOMAIN}"
        assert domains in text
        accepted = f"""{domains}, {PARTNER}]
  jwt_svid: {{ audiences: ["{TOOLGATE}"] }}
  spire: unix:{self.agent.socket}"""
        config.write_text(text.replace(f"{domains}]", accepted))
        surfaces = work / "policies/surfaces.yaml"
        text = surfaces.read_text()
        ide = f'"{WORKLOADS["ide"]}"'
        assert ide in text
        text = text.replace(ide, f'{ide}, "{PARTNERS["partner-ide"]}"')
        nightly = f'"{WORKLOADS["nightly-lineage"]}"'
        assert nightly in text
        surfaces.write_text(text.replace(nightly, f'{nightly}, "{PARTNER_SERVICE}"'))
        sample, ours = (f"127.0.0.1:{self.stack.ports[name]}" for name in ["knowledge", "spare"])
        server = work / "policies/servers/knowledge.yaml"
        https = f'"https://{ours}/mcp", upstream_identity: "{KNOWLEDGE}"'
        server.write_text(server.read_text().replace(f'"http://{sample}/mcp"', https))
        guardrails = work / "policies/guardrails.yaml"
        guardrails.write_text(guardrails.read_text().replace(sample, ours))


TARGET = REPOSITORY / "target/spire"
