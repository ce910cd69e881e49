"""Tokens that no provider would sign, signed with the development provider's own keys."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

Part = Mapping[str, Any] | bytes  # bytes: as they are, whatever they are


def claims(**changes: Any) -> dict[str, Any]:
    """Alice's claims with changes; a change to `...` leaves the claim out."""
    now = int(time.time())
    good = {
        "iss": "https://login.example.com",
        "sub": "alice",
        "aud": "https://mcp.example.com",
        "iat": now - 5,
        "nbf": now - 5,
        "exp": now + 300,
        "jti": "c0ffee",
        "client_id": "dev-client",
        "groups": ["ads"],
    }
    return _changed(good, changes)


def header(**changes: Any) -> dict[str, Any]:
    """The header that the provider writes, with changes as in `claims`."""
    return _changed({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-dev"}, changes)


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(content: Part) -> str:
    """A header or payload in its place in a token."""
    return encoded(content if isinstance(content, bytes) else json.dumps(content).encode())


class Keys:
    """The private keys of the development identity provider, by `kid`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loaded: dict[str, Any] = {}

    def sign(
        self,
        head: Part | None = None,
        payload: Part | None = None,
        *,
        kid: str = "rsa-dev",
        pss: bool = False,
    ) -> str:
        """A token signed with the key `kid`, whatever its header says. `pss`: RSA with that
        padding."""
        head = header() if head is None else head
        payload = claims() if payload is None else payload
        signed = f"{part(head)}.{part(payload)}"
        return f"{signed}.{encoded(self._signature(signed.encode(), kid, pss))}"

    def _private(self, kid: str) -> Any:
        # Reading an RSA key includes a test of its numbers, which takes longer than a request.
        if kid not in self._loaded:
            self._loaded[kid] = self._read(kid)
        return self._loaded[kid]

    def _read(self, kid: str) -> Any:
        pem = (self._directory / f"{kid}.key").read_bytes()
        if kid == "ed-dev":
            # Version 2 of PKCS #8 (RFC 5958), which `cryptography` does not read: the seed is
            # the octet string in the octet string.
            der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
            start = der.index(b"\x04\x22\x04\x20") + 4
            return ed25519.Ed25519PrivateKey.from_private_bytes(der[start : start + 32])
        return serialization.load_pem_private_key(pem, None)

    def _signature(self, signed: bytes, kid: str, pss: bool) -> bytes:
        key = self._private(kid)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(signed)
        if isinstance(key, rsa.RSAPrivateKey):
            sha256 = hashes.SHA256()
            scheme = padding.PSS(padding.MGF1(sha256), 32) if pss else padding.PKCS1v15()
            return key.sign(signed, scheme, sha256)
        size = (key.curve.key_size + 7) // 8
        digest = hashes.SHA384() if size == 48 else hashes.SHA256()
        signature = key.sign(signed, ec.ECDSA(digest))
        r, s = utils.decode_dss_signature(signature)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def foreign(head: Part | None = None, payload: Part | None = None) -> tuple[str, dict[str, str]]:
    """A token signed with a key that nobody knows, and that key as a JWK."""
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "rsa-dev", "alg": "RS256", "use": "sig"}
    jwk |= {"n": encoded(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    head = header(jwk=jwk) if head is None else head
    signed = f"{part(head)}.{part(claims() if payload is None else payload)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{encoded(signature)}", jwk


def _changed(good: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (good | dict(changes)).items() if value is not ...}
