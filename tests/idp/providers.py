"""Two real identity providers on the loopback, and what tests do to them."""

import json
import math
import os
import shutil
import time
import urllib.request
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from authority import Authority
from browser import Client, Tokens
from process import Process, ProcessError
from workspace import REPOSITORY

RESOURCE = "https://mcp.example.com"
HERE = Path(__file__).resolve().parent

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def installed() -> Path:
    """What `bootstrap` made."""
    path = (REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache") / "idp").resolve()
    if not path.exists():
        raise ProcessError(f"the providers are not in {path}\nhint: make test-idp")
    return path


def private_key() -> str:
    """A new one for RS256, as PEM."""
    form = serialization.PrivateFormat.PKCS8
    bare = serialization.NoEncryption()
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(serialization.Encoding.PEM, form, bare).decode()


class Provider(ABC):
    """Runs from `start` to `stop`, with its keys in `run`, which outlive the process."""

    name: str  # as an issuer
    configured: str  # what an issuer's configuration says beside its name, audience and keys
    discovery: str  # which document says where its keys are
    issuer: str
    process: Process
    more_sign_ins: list[tuple[str, str, str]]  # what is special, who, and to which client

    def __init__(self, run: Path, authority: Authority) -> None:
        run.mkdir(parents=True)
        self.run = run
        self.ca = str(authority.ca)
        self._certificate, self._key = authority.issue(self.name)
        self._visitor: Client | None = None

    @property
    def visitor(self) -> Client:
        """Somebody who talks to it."""
        if self._visitor is None:
            self._visitor = Client(self.issuer, self.ca)
        return self._visitor

    def start(self) -> None:
        self.process.start()

    def answers(self) -> bool:
        try:
            Client(self.issuer, self.ca)
        except OSError:
            return False
        return True

    @abstractmethod
    def subject(self, person: str) -> str:
        """How tokens name somebody."""

    @abstractmethod
    def sign_in(self, person: str, client: str = "chat", **more: str) -> Tokens:
        """Somebody signs in to a client; `more` goes with the authorization request."""

    @abstractmethod
    def machine(self, client: str) -> str:
        """A client's own access token."""

    @abstractmethod
    def signing(self) -> str:
        """The key that signs now."""

    @abstractmethod
    def publish(self) -> str:
        """A new key, which is published, and signs nothing yet."""

    @abstractmethod
    def sign_with(self, kid: str) -> None:
        """From now on tokens are signed with this one."""

    @abstractmethod
    def withdraw(self, kid: str) -> None:
        """This one is published no longer."""

    @abstractmethod
    def fetches(self) -> int:
        """How often somebody asked for the keys."""

    def rotate(self) -> str:
        """A new key signs at once; the one that signed before, which is still published."""
        before = self.signing()
        self.sign_with(self.publish())
        return before


class OidcProvider(Provider):
    """oidc-provider, which is certified, with RFC 9068 tokens for the resource."""

    name = "partner"
    configured = "algorithms: [RS256]"
    discovery = "oauth-authorization-server"
    more_sign_ins = [("a user in no group", "nina", "chat")]

    def __init__(self, run: Path, authority: Authority, ports: tuple[int, int]) -> None:
        super().__init__(run, authority)
        port, self._admin_port = ports
        self.issuer = f"https://localhost:{port}"
        options = {
            "issuer": self.issuer,
            "port": port,
            "admin": self._admin_port,
            "cert": str(self._certificate),
            "key": str(self._key),
            "state": str(run / "keys.json"),
            "modules": str(installed() / "node"),
            "resource": RESOURCE,
        }
        command: list[str | Path] = ["node", HERE / "provider.mjs", json.dumps(options)]
        log = run / "log"
        self.process = Process(self.name, command, self.answers, cwd=run, log=log)

    def subject(self, person: str) -> str:
        return person

    def sign_in(self, person: str, client: str = "chat", **more: str) -> Tokens:
        filled = {"login": person, "password": "anything"}
        usual = {"scope": "openid offline_access mcp", "resource": RESOURCE, "prompt": "consent"}
        return self.visitor.sign_in(client, filled, **{**usual, **more})

    def machine(self, client: str) -> str:
        answer = self.visitor.token(
            grant_type="client_credentials",
            client_id=client,
            client_secret=f"secret of {client}",
            resource=RESOURCE,
            scope="mcp",
        )
        return str(answer["access_token"])

    def signing(self) -> str:
        return str(self._admin("GET", "/signing")["kid"])

    def publish(self) -> str:
        return str(self._admin("POST", "/keys")["kid"])

    def sign_with(self, kid: str) -> None:
        self._admin("POST", f"/signing?kid={kid}")

    def withdraw(self, kid: str) -> None:
        self._admin("DELETE", f"/keys?kid={kid}")

    def fetches(self) -> int:
        return int(self._admin("GET", "/fetches")["fetches"])

    def _admin(self, method: str, path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._admin_port}{path}"
        request = urllib.request.Request(url, method=method)
        with _http.open(request, timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
            return document


class Keycloak(Provider):
    """Keycloak, with the realm of realm.json."""

    name = "corp"
    configured = "preset: keycloak"
    discovery = "openid-configuration"
    more_sign_ins = [
        ("a user in no group", "nina", "chat"),
        ("a user in a group below another", "dora", "chat"),
        ("the same with full.path", "dora", "chat-paths"),
        ("a client with access.token.header.type.rfc9068", "alice", "chat-at-jwt"),
        ("a client without an audience mapper", "alice", "elsewhere"),
    ]
    keys_path = "/realms/corp/protocol/openid-connect/certs"

    _ADMIN = "admin"
    # As bin/kc.sh starts it, but with what a short life on a small machine wants.
    _JAVA = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xms64m",
        "-Xmx384m",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
        "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "--add-opens=java.base/java.util=ALL-UNNAMED",
        "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
        "--add-opens=java.base/java.security=ALL-UNNAMED",
    ]

    def __init__(self, run: Path, authority: Authority, port: int) -> None:
        super().__init__(run, authority)
        self._base = f"https://localhost:{port}"
        self.issuer = f"{self._base}/realms/corp"
        self._token, self._signed_in = "", -math.inf
        home = run / "home"
        (home / "data/import").mkdir(parents=True)
        shutil.copy(HERE / "realm.json", home / "data/import/corp-realm.json")
        for part in ["conf", "lib", "providers", "themes"]:
            (home / part).symlink_to(installed() / "keycloak" / part)
        java = os.environ.get("JAVA_HOME")
        command: list[str | Path] = [
            f"{java}/bin/java" if java else "java",
            *self._JAVA,
            f"-Dkc.home.dir={home}",
            f"-Djboss.server.config.dir={home}/conf",
            "-cp",
            home / "lib/quarkus-run.jar",
            "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
            *["start", "--optimized", "--cache=local", "--import-realm"],
            *["--http-host=127.0.0.1", f"--https-port={port}", f"--hostname={self._base}"],
            f"--https-certificate-file={self._certificate}",
            f"--https-certificate-key-file={self._key}",
            "--http-access-log-enabled=true",  # how fetches are counted
        ]
        names = ["KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD"]
        self.process = Process(
            self.name,
            command,
            self.answers,
            cwd=home,
            log=run / "log",
            environment=dict.fromkeys(names, self._ADMIN),
            patience=180,  # a minute on a machine that has something else to do
        )

    def subject(self, person: str) -> str:
        realm = json.loads((HERE / "realm.json").read_text())
        (user,) = [user for user in realm["users"] if user["username"] == person]
        return str(user["id"])

    def sign_in(self, person: str, client: str = "chat", **more: str) -> Tokens:
        filled = {"username": person, "password": f"password of {person}"}
        return self.visitor.sign_in(client, filled, **{"scope": "openid", **more})

    def machine(self, client: str) -> str:
        form = {"client_id": client, "client_secret": f"secret of {client}"}
        answer = self.visitor.token(grant_type="client_credentials", **form)
        return str(answer["access_token"])

    def signing(self) -> str:
        return str(self._admin("GET", "/keys")["active"]["RS256"])

    def publish(self) -> str:
        name = str(uuid.uuid4())
        self._admin("POST", "/components", self._component(name, self._lowest()))
        return self._kid_of(self._named(name)["id"])

    def sign_with(self, kid: str) -> None:
        component = self._component_of(kid)
        highest = max(self._priority(other) for other in self._components())
        component["config"]["priority"] = [str(highest + 10)]
        self._admin("PUT", f"/components/{component['id']}", component)

    def withdraw(self, kid: str) -> None:
        self._admin("DELETE", f"/components/{self._component_of(kid)['id']}")

    def fetches(self) -> int:
        return (self.run / "log").read_text(errors="replace").count(f'"GET {self.keys_path} ')

    # Keys are components of a realm; the one with the highest priority signs.

    @staticmethod
    def _component(name: str, priority: int) -> dict[str, Any]:
        return {
            "name": name,
            "providerId": "rsa",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {
                "priority": [str(priority)],
                "enabled": ["true"],
                "active": ["true"],
                "algorithm": ["RS256"],
                # Made here: on a busy machine Keycloak takes half a minute for one of its own.
                "privateKey": [private_key()],
            },
        }

    def _lowest(self) -> int:
        return min(self._priority(component) for component in self._components()) - 1

    @staticmethod
    def _priority(component: dict[str, Any]) -> int:
        return int(component["config"].get("priority", ["0"])[0])

    def _components(self) -> list[dict[str, Any]]:
        every = self._admin("GET", "/components?type=org.keycloak.keys.KeyProvider")
        return [one for one in every if one["providerId"] in ("rsa", "rsa-generated")]

    def _named(self, name: str) -> dict[str, Any]:
        (component,) = [one for one in self._components() if one["name"] == name]
        return component

    def _keys(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self._admin("GET", "/keys")["keys"]
        return keys

    def _kid_of(self, component: str) -> str:
        (kid,) = [key["kid"] for key in self._keys() if key["providerId"] == component]
        return str(kid)

    def _component_of(self, kid: str) -> dict[str, Any]:
        (owner,) = [key["providerId"] for key in self._keys() if key["kid"] == kid]
        (component,) = [one for one in self._components() if one["id"] == owner]
        return component

    def _admin(self, method: str, path: str, document: Any = None) -> Any:
        # An administrator's token lives for a minute.
        if time.monotonic() - self._signed_in > 30:
            url = f"{self._base}/realms/master/protocol/openid-connect/token"
            form = {"username": self._ADMIN, "password": self._ADMIN, "client_id": "admin-cli"}
            self._token = self.visitor.post(url, grant_type="password", **form)["access_token"]
            self._signed_in = time.monotonic()
        url = f"{self._base}/admin/realms/corp{path}"
        return self.visitor.send(method, url, self._token, document)
