"""Keys by discovery, over TLS with a private authority: the provider's metadata is believed as far
as it speaks of itself, and nobody else is asked on its word."""

import json
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jose import Keys, claims, header
from key_server import KeyServer, document, key_server, padded, wait_until
from stack import Stack
from test_issuers import prefix_groups
from wire import Wire
from workspace import REPOSITORY

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
LARGEST = 64 * 1024

Metadata = dict[str, Any]
Change = Callable[[Metadata, "Ports"], Metadata | bytes]

OURS, FOREIGN = "ours", "foreign"  # authorities


class Ports:
    """Where things are."""

    def __init__(self, stack: Stack, elsewhere: int) -> None:
        self.provider, self.elsewhere = stack.ports["spare"], elsewhere

    def issuer(self, name: str) -> str:
        return f"https://localhost:{self.provider}/{name}"


def named(uri: str) -> Change:
    return lambda metadata, ports: metadata | {"jwks_uri": uri.format(elsewhere=ports.elsewhere)}


# What the metadata of an issuer says, how it is configured, and what is said about its keys.
GOOD: dict[str, tuple[str, Change]] = {
    "usual": ("discovery: openid-configuration", lambda metadata, _: metadata),
    "oauth": ("discovery: oauth-authorization-server", lambda metadata, _: metadata),
    "hosted": (
        'discovery: openid-configuration, hosts: ["127.0.0.1"]',
        named("https://127.0.0.1:{elsewhere}/jwks"),
    ),
}
BAD: dict[str, tuple[str, Change, str]] = {
    "slash": ("", lambda m, _: m | {"issuer": m["issuer"] + "/"}, "byte for byte"),
    "nobody": ("", lambda m, _: m | {"issuer": None}, "byte for byte"),
    "another": ("", lambda m, p: m | {"issuer": p.issuer("usual")}, "byte for byte"),
    "plain": ("", named("http://127.0.0.1:{elsewhere}/jwks"), "must be `https`"),
    "elsewhere": ("", named("https://127.0.0.1:{elsewhere}/jwks"), "neither the issuer's"),
    "cloud": ("", named("https://169.254.169.254/latest"), "link-local"),
    "cloud-listed": (', hosts: ["localhost"]', named("https://[fe80::1]/jwks"), "link-local"),
    "with-user": ("", named("https://u:p@localhost:{elsewhere}/jwks"), "a user, a password"),
    "no-keys": ("", lambda m, _: {"issuer": m["issuer"]}, "no `jwks_uri`"),
    "a-list": ("", lambda m, _: json.dumps([m]).encode(), "not a strict JSON object"),
    "twice": ("", lambda m, _: json.dumps(m).encode()[:-1] + b', "issuer": "x"}', "not a strict"),
    "too-large": ("", lambda m, _: padded(json.dumps(m).encode(), LARGEST + 1), "more than 65536"),
    "moved": ("", lambda m, _: m, "answers 302"),
    "untrusted": (FOREIGN, lambda m, _: m, "certificate"),
    "system": ("system", lambda m, _: m, "certificate"),
}


def authority(directory: Path, name: str) -> ssl.SSLContext:
    """Writes `NAME.pem`, and serves with a certificate of that authority for the loopback."""
    now = datetime.now(timezone.utc)

    def certificate(subject: str, issuer: str, key: Any, signer: Any, *, ca: bool) -> Any:
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(signer, hashes.SHA256())
        )

    roots, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (directory / f"{name}.pem").write_bytes(
        certificate(name, name, roots, roots, ca=True).public_bytes(pem)
    )
    chain, key = directory / f"{name}-leaf.pem", directory / f"{name}-leaf.key"
    chain.write_bytes(certificate("provider", name, leaf, roots, ca=False).public_bytes(pem))
    key.write_bytes(
        leaf.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@pytest.fixture(scope="module")
def discovered() -> Iterator[tuple[Wire, KeyServer, KeyServer]]:
    """To a stack with an issuer for each row; its provider; and somebody else, who has keys too."""

    def edit(work: Path) -> None:
        roots = work / "envoy"
        tls.append(authority(roots, OURS))
        authority(roots, FOREIGN)
        rows = {name: f"{{ {how}, ca: {OURS}.pem }}" for name, (how, _) in GOOD.items()}
        for name, (how, _, _) in BAD.items():
            ca = {FOREIGN: f", ca: {FOREIGN}.pem", "system": ""}.get(how, f"{how}, ca: {OURS}.pem")
            rows[name] = f"{{ discovery: openid-configuration{ca} }}"
        more = "".join(
            f"""
  {name}:
    issuer: https://localhost:{stack.ports["spare"]}/{name}
    audiences: ["https://mcp.example.com"]
    keys: {keys}
    algorithms: [RS256]
    group_prefix: "{name}:"
"""
            for name, keys in rows.items()
        )
        text = stack.config.read_text()
        text = text.replace("  corp:\n", '  corp:\n    group_prefix: "corp:"\n')
        stack.config.write_text(text.replace("\nworkloads:", f"{more}\nworkloads:"))
        prefix_groups(work / "policies")

    tls: list[ssl.SSLContext] = []
    stack = Stack(REPOSITORY / "target/e2e/discovery", edit=edit, ready="/livez")
    with stack:
        jwks = (stack.run / "identity/jwks.json").read_bytes()
        with (
            key_server(0, document(jwks), tls[0]) as elsewhere,
            key_server(stack.ports["spare"], document(b"", status=503), tls[0]) as server,
        ):
            server.behaviour = provider(Ports(stack, elsewhere.http.server_port), jwks)
            with stack.stopped("toolgate"):
                pass
            yield Wire(stack), server, elsewhere


def provider(ports: Ports, jwks: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers as each issuer's row says."""
    changes = {name: change for name, (_, change) in GOOD.items()}
    changes |= {name: change for name, (_, change, _) in BAD.items()}

    def behave(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/jwks"):
            return document(jwks)(handler)
        oauth = handler.path.startswith(f"{OAUTH}/")
        name = handler.path.removeprefix(f"{OAUTH}/") if oauth else handler.path.split("/")[1]
        expected = f"{OAUTH}/{name}" if name == "oauth" else f"/{name}{OPENID}"
        if handler.path != expected:
            return document(b"", status=404)(handler)
        if name == "moved":
            return document(b"", status=302, Location=f"/usual{OPENID}")(handler)
        issuer = ports.issuer(name)
        said = changes[name]({"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}, ports)
        document(said if isinstance(said, bytes) else json.dumps(said).encode())(handler)

    return behave


def reasons(stack: Stack) -> dict[str, tuple[str, str]]:
    parts = stack.status()["parts"]
    found = {part["part"]: (part["state"], part["reason"]) for part in parts}
    return {name.removeprefix("keys of "): said for name, said in found.items()}


def test_metadata_is_believed_as_far_as_it_speaks_of_itself(
    discovered: tuple[Wire, KeyServer, KeyServer],
) -> None:
    wire, server, elsewhere = discovered
    stack = wire.stack
    keys = Keys(stack.run / "identity")

    def all_asked() -> bool:
        said = reasons(stack)
        return all(said[name][0] == "ok" for name in GOOD) and all(
            re.match("not known yet: .", said[name][1]) for name in BAD
        )

    wait_until(all_asked)
    said = reasons(stack)
    for name, (_, _, why) in BAD.items():
        state, reason = said[name]
        assert state == "down" and why in reason, f"{name}: {reason}"
    for name in [*GOOD, *BAD]:
        issuer = f"https://localhost:{stack.ports['spare']}/{name}"
        token = keys.sign(payload=claims(iss=issuer))
        expected = 200 if name in GOOD else 503
        assert wire.call("knowledge", "search", token=token).status == expected, name
    # The row that names this host was the only one to lead there.
    assert elsewhere.asked == ["/jwks"]
    # Nobody came for the keys of a provider whose metadata is not to be believed.
    assert {path for path in server.asked if path.endswith("/jwks")} == {
        "/usual/jwks",
        "/oauth/jwks",
    }


def test_where_the_keys_are_is_asked_for_once(
    discovered: tuple[Wire, KeyServer, KeyServer],
) -> None:
    wire, server, _ = discovered
    keys = Keys(wire.stack.run / "identity")
    wait_until(lambda: reasons(wire.stack)["usual"][0] == "ok")
    issuer = f"https://localhost:{wire.stack.ports['spare']}/usual"
    token = keys.sign(header(kid="nobody's"), claims(iss=issuer))
    assert wire.call("knowledge", "search", token=token).status == 401
    assert server.asked.count("/usual/jwks") == 2
    assert server.asked.count(f"/usual{OPENID}") == 1


def test_roots_that_cannot_be_read_are_told_before_anything_starts(
    discovered: tuple[Wire, KeyServer, KeyServer],
) -> None:
    stack = discovered[0].stack
    roots = stack.work / "envoy" / f"{FOREIGN}.pem"
    before = roots.read_bytes()
    for content in [None, b"", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]:
        if content is None:
            roots.unlink()
        else:
            roots.write_bytes(content)
        checked = stack.attempt("toolgate", "serve", "--check", "--config", "toolgate.yaml")
        assert checked.returncode != 0 and f"{FOREIGN}.pem" in checked.stdout + checked.stderr
    roots.write_bytes(before)
