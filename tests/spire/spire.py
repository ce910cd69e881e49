"""SPIRE servers and an agent on the loopback, and what tests ask of them."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from process import Process, ProcessError
from workspace import REPOSITORY

CA_SECONDS = 24 * 3600

# A server looks every five seconds whether its own certificate has to be signed anew.
TAINTED_SECONDS = 12


def binary(name: str) -> Path:
    """What `bootstrap` made."""
    cache = REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache")
    path = (cache / "spire-1.15.3/bin" / name).resolve()
    if not path.exists():
        raise ProcessError(f"{path} is not there\nhint: make test-spire")
    return path


def once(*command: str | Path, stdin: str | None = None) -> str:
    """The output of one command that must end well."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        raise ProcessError(f"`{shown}` ended with status {done.returncode}\n{done.stderr}")
    return done.stdout


def ends_well(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Server:
    """The authority of a trust domain. `sockets` is a directory with a short path."""

    def __init__(
        self, domain: str, port: int, run: Path, sockets: Path, authority: str = ""
    ) -> None:
        self.domain, self.port = domain, port
        self.socket = sockets / f"{domain}.sock"
        run.mkdir(parents=True)
        config = run / "server.conf"
        config.write_text(f"""
server {{
    bind_address = "127.0.0.1"
    bind_port = "{port}"
    socket_path = "{self.socket}"
    trust_domain = "{domain}"
    data_dir = "{run}"
    ca_ttl = "{CA_SECONDS}s"
    log_level = "INFO"
}}
plugins {{
    DataStore "sql" {{
        plugin_data {{ database_type = "sqlite3" connection_string = "{run}/db.sqlite3" }}
    }}
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    KeyManager "memory" {{ plugin_data {{}} }}
    {authority}
}}
""")
        self.process = Process(
            f"spire-server of {domain}",
            [binary("spire-server"), "run", "-config", config],
            lambda: ends_well(
                binary("spire-server"), "healthcheck", "-socketPath", str(self.socket)
            ),
            cwd=run,
            log=run / "server.log",
        )

    def ask(self, *command: str, stdin: str | None = None) -> str:
        program = binary("spire-server")
        return once(program, *command, "-socketPath", str(self.socket), stdin=stdin)

    def bundle(self, form: str = "pem") -> str:
        return self.ask("bundle", "show", "-format", form)

    def believe(self, other: "Server") -> None:
        """Takes another trust domain's bundle as it is now."""
        about = ["-id", f"spiffe://{other.domain}", "-format", "spiffe"]
        self.ask("bundle", "set", *about, stdin=other.bundle("spiffe"))

    def mint(self, identity: str, into: Path, seconds: int) -> tuple[str, str]:
        """The files of a new certificate and its key."""
        into.mkdir(parents=True, exist_ok=True)
        about = ["-spiffeID", identity, "-ttl", f"{seconds}s", "-write", str(into)]
        self.ask("x509", "mint", *about)
        return str(into / "svid.pem"), str(into / "key.pem")

    def mint_jwt(self, identity: str, audience: str, seconds: int = 300) -> str:
        """A new JWT-SVID."""
        about = ["-spiffeID", identity, "-audience", audience, "-ttl", f"{seconds}s"]
        return self.ask("jwt", "mint", *about).strip()

    # Its authorities: of certificates (`x509`) and of JWT-SVIDs (`jwt`).

    def prepare(self, of: str = "x509") -> str:
        """A new authority, which is published, and signs nothing yet."""
        return self._authority("prepare", of=of)

    def activate(self, authority: str, of: str = "x509") -> None:
        """From now on this one signs."""
        self._authority("activate", "-authorityID", authority, of=of)

    def withdraw_jwt(self, authority: str) -> None:
        """Nobody is to believe JWT-SVIDs of this one any longer."""
        for step in ["taint", "revoke"]:
            self._authority(step, "-authorityID", authority, of="jwt")

    def withdraw(self, authority: str) -> None:
        """Nobody is to believe this one any longer. Between the two steps whatever it signed is
        signed anew, the server's own certificate too: without it the agent gives up."""
        self._authority("taint", "-authorityID", authority)
        time.sleep(TAINTED_SECONDS)
        self._authority("revoke", "-authorityID", authority)

    def signing(self, of: str = "x509") -> str:
        """The authority that signs now."""
        return self._authority("show", of=of)

    def _authority(self, *command: str, of: str = "x509") -> str:
        said = self.ask("localauthority", of, *command)
        found = re.search(r"Authority ID: (\w+)", said)
        return found[1] if found else ""


class Agent:
    """Attests the processes of this machine, and gives them and Envoy their certificates."""

    def __init__(self, server: Server, run: Path, sockets: Path) -> None:
        run.mkdir(parents=True)
        self._server = server
        self.socket = sockets / "agent.sock"
        self.config = run / "agent.conf"
        bundle = run / "bootstrap.pem"
        bundle.write_text(server.bundle())
        self.configure()
        node = f"spiffe://{server.domain}/node"
        token = server.ask("token", "generate", "-spiffeID", node).split()[1]
        # One that starts again goes by what it kept, and not by the token.
        self.process = Process(
            "spire-agent",
            [binary("spire-agent"), "run", "-config", self.config, "-joinToken", token],
            lambda: ends_well(
                binary("spire-agent"), "healthcheck", "-socketPath", str(self.socket)
            ),
            cwd=run,
            log=run / "agent.log",
        )

    def configure(self, sds: str = "") -> None:
        """For the next start."""
        run = self.config.parent
        self.config.write_text(f"""
agent {{
    data_dir = "{run}"
    server_address = "127.0.0.1"
    server_port = "{self._server.port}"
    socket_path = "{self.socket}"
    trust_domain = "{self._server.domain}"
    trust_bundle_path = "{run}/bootstrap.pem"
    log_level = "INFO"
    sds {{ {sds} }}
    experimental {{ sync_interval = "1s" }}
}}
plugins {{
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    KeyManager "disk" {{ plugin_data {{ directory = "{run}" }} }}
    WorkloadAttestor "unix" {{ plugin_data {{ discover_workload_path = true }} }}
}}
""")

    def register(
        self, identity: str, program: Path, seconds: int, more: Sequence[str] = ()
    ) -> str:
        """What runs this program has this identity, in certificates that live so long."""
        said = self._server.ask(
            *["entry", "create", "-parentID", f"spiffe://{self._server.domain}/node"],
            *["-spiffeID", identity, "-selector", f"unix:path:{program}"],
            *["-x509SVIDTTL", str(seconds), *more],
        )
        found = re.search(r"Entry ID\s*: (\S+)", said)
        if not found:
            raise ProcessError(f"no entry was made:\n{said}")
        return found[1]

    def forget(self, entry: str) -> None:
        self._server.ask("entry", "delete", "-entryID", entry)
