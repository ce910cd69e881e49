"""What tokens and key sets look like, with harmless values in place of those that change."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser import Tokens
from providers import Provider

SHAPES = Path(__file__).resolve().parent / "shapes"

ISSUED = 1_800_000_000  # when every token of a shape was issued
NAMES = {"corp": "keycloak", "partner": "oidc-provider"}

Decoded = dict[str, Any]


def decoded(token: str) -> Decoded:
    """Header and payload of a token; `opaque` when it has none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {"opaque": True}
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
    return {"header": header, "payload": payload}


def shape(provider: Provider) -> Decoded:
    """Everything that a provider is made to sign, by what it is."""
    signed: dict[str, Decoded] = {}

    def add(name: str, tokens: Tokens) -> None:
        for kind in ["access", "id", "refresh"]:
            signed[f"{name}: {kind}"] = decoded(getattr(tokens, kind))

    add("a user in a group", provider.sign_in("alice"))
    add("a user in a group, with a nonce", provider.sign_in("alice", nonce="n-1"))
    for name, person, client in provider.more_sign_ins:
        signed[f"{name}: access"] = decoded(provider.sign_in(person, client).access)
    for name, client in [("a client", "nightly"), ("a client in a group", "reporter")]:
        signed[f"{name}: access"] = decoded(provider.machine(client))
    document = provider.visitor.endpoints
    keys = provider.visitor.get(document["jwks_uri"])["keys"]
    about = ["issuer", "jwks_uri", "id_token_signing_alg_values_supported"]
    return {
        "tokens": {name: harmless(one, provider.issuer) for name, one in signed.items()},
        "discovery": harmless({name: document[name] for name in about}, provider.issuer),
        # One that signs as an example: the others have the same members.
        "keys": sorted((published(key) for key in keys), key=json.dumps),
    }


def published(key: Decoded) -> Decoded:
    """A published key: what it says of itself, and the names of its numbers."""
    words = {name: key[name] for name in ["kty", "alg", "use"] if name in key}
    return {**words, "members": sorted(key)}


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def harmless(value: Any, issuer: str) -> Any:
    """The same, but with values that are the same in every run."""
    if isinstance(value, list):
        return [harmless(item, issuer) for item in value]
    if not isinstance(value, dict):
        changes = isinstance(value, str)
        return value.replace(issuer, "https://idp.example.com/realm") if changes else value
    issued = value.get("iat")
    changed: dict[str, Callable[[Any], Any]] = {
        "kid": lambda _: "key-1",
        "sid": lambda _: "session-1",
        "at_hash": lambda _: "x" * 22,
        "jti": lambda jti: re.sub(rf"{UUID}|[\w-]{{40,}}$", "token-1", jti),
        # People's are our own; those of clients are made up anew every time.
        "sub": lambda sub: re.sub(r"^(?!0{8})" + UUID, "client-1", sub),
        # Sets, which come in another order every time.
        "scope": lambda scope: " ".join(sorted(scope.split())),
        **dict.fromkeys(["roles", "id_token_signing_alg_values_supported"], sorted),
        **dict.fromkeys(["iat", "exp", "auth_time"], lambda at: ISSUED + lasting(at - issued)),
    }
    return {
        name: changed[name](item) if name in changed else harmless(item, issuer)
        for name, item in value.items()
    }


def lasting(seconds: int) -> int:
    """Who signs in takes a moment, which is none here."""
    return 0 if abs(seconds) < 60 else seconds
