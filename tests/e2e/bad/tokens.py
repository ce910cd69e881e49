"""Tokens that must not sign anybody in, by what is wrong with them."""

import json
import re
import time
from collections.abc import Callable

from jose import Keys, claims, encoded, foreign, header, hs256, part

Make = Callable[[Keys], str]


def _but(**changes: object) -> Make:
    """A good token but for some claims."""
    return lambda keys: keys.sign(payload=claims(**changes))


def _head(**changes: object) -> Make:
    """A good token but for some header members."""
    return lambda keys: keys.sign(header(**changes))


def _payload(edit: Callable[[bytes], bytes]) -> Make:
    """What `edit` makes of good claims, well signed."""
    return lambda keys: keys.sign(payload=edit(json.dumps(claims()).encode()))


def _plus(members: str) -> Make:
    """Good claims, and more of them."""
    return _payload(lambda good: good[:-1] + f", {members}}}".encode())


def _edited(edit: Callable[[str, str, str], str]) -> Make:
    """What `edit` makes of the three parts of a good token."""
    return lambda keys: edit(*keys.sign().split("."))


def _soon(seconds: int) -> int:
    return int(time.time()) + seconds


def _flipped(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


BAD_TOKENS: dict[str, Make] = {
    # The form (RFC 7515 §7.1).
    "one part": lambda keys: "abc",
    "two parts": _edited(lambda h, p, s: f"{h}.{p}"),
    "four parts": _edited(lambda h, p, s: f"{h}.{p}.{s}.{s}"),
    "five parts, as a JWE has": _edited(lambda h, p, s: f"{h}.{p}.{s}.{s}.{s}"),
    "three empty parts": lambda keys: "..",
    "no signature": _edited(lambda h, p, s: f"{h}.{p}."),
    "padding": _edited(lambda h, p, s: f"{h}.{p}.{s}=="),
    "the standard alphabet": lambda keys: (
        _plus('"x": "~~~~~~??????"')(keys).replace("-", "+").replace("_", "/")
    ),
    "a signature with loose trailing bits": _edited(
        lambda h, p, s: f"{h}.{p}.{s[:-1]}{chr(ord(s[-1]) + 1)}"
    ),
    "a flipped bit in the header": _edited(lambda h, p, s: f"{_flipped(h)}.{p}.{s}"),
    "a flipped bit in the payload": _edited(lambda h, p, s: f"{h}.{_flipped(p)}.{s}"),
    "a flipped bit in the signature": _edited(lambda h, p, s: f"{h}.{p}.{_flipped(s)}"),
    "another payload under the signature": lambda keys: (
        lambda h, p, s: f"{h}.{part(claims(sub='ines', groups=['infra']))}.{s}"
    )(*keys.sign().split(".")),
    "more than 16 KiB": _but(padding="x" * 16384),
    # The header (RFC 8725).
    "alg none": lambda keys: f"{part(header(alg='none'))}.{part(claims())}.",
    "alg none with a signature": _head(alg="none"),
    "alg None": _head(alg="None"),
    "alg nOnE": _head(alg="nOnE"),
    "no alg": _head(alg=...),
    "alg null": _head(alg=None),
    "alg a number": _head(alg=256),
    "alg a list": _head(alg=["RS256"]),
    "alg rs256": _head(alg="rs256"),
    "HS256 under the public key": lambda keys: hs256(keys.public_pem()),
    "HS256 under nothing": lambda keys: hs256(b""),
    "PS256, which the issuer does not use": lambda keys: keys.sign(
        header(alg="PS256", kid="rsa-pss-dev"), kid="rsa-pss-dev", pss=True
    ),
    "PS256 under the RS256 key": lambda keys: keys.sign(header(alg="PS256"), pss=True),
    "RS512 named over RS256": _head(alg="RS512"),
    "ES384, which the issuer does not use": lambda keys: keys.sign(
        header(alg="ES384", kid="ec384-dev"), kid="ec384-dev"
    ),
    "EdDSA, which the issuer does not use": lambda keys: keys.sign(
        header(alg="EdDSA", kid="ed-dev"), kid="ed-dev"
    ),
    "ES256 named, signed with RSA": _head(alg="ES256", kid="ec-dev"),
    "ES256 as ASN.1": lambda keys: keys.sign(
        header(alg="ES256", kid="ec-dev"), kid="ec-dev", der=True
    ),
    "ES256 of zeros": lambda keys: (
        f"{part(header(alg='ES256', kid='ec-dev'))}.{part(claims())}.{encoded(bytes(64))}"
    ),
    "crit": _head(crit=["exp"]),
    "an empty crit": _head(crit=[]),
    "crit null": _head(crit=None),
    "b64 false": _head(b64=False),
    "zip": _head(zip="DEF"),
    "enc": _head(enc="A256GCM"),
    "cty JWT": _head(cty="JWT"),
    "a key of its own": lambda keys: foreign()[0],
    "a foreign key under a known kid": lambda keys: foreign(header())[0],
    "an embedded key, rightly signed": lambda keys: keys.sign(header(jwk=foreign()[1])),
    "jku": _head(jku="http://127.0.0.1:9/jwks.json"),
    "x5u": _head(x5u="http://127.0.0.1:9/cert.pem"),
    "x5c": _head(x5c=["MIIB"]),
    "no kid among several keys": _head(kid=...),
    "an unknown kid": _head(kid="rsa-other"),
    "kid a number": _head(kid=1),
    "kid a list": _head(kid=["rsa-dev"]),
    "kid a path": _head(kid="../../rsa-dev"),
    "kid with a zero byte": _head(kid="rsa-dev\0"),
    "kid in capitals": _head(kid="RSA-DEV"),
    "typ logout+jwt": _head(typ="logout+jwt"),
    "typ dpop+jwt": _head(typ="dpop+jwt"),
    "typ secevent+jwt": _head(typ="secevent+jwt"),
    "typ oauth-id-jag+jwt": _head(typ="oauth-id-jag+jwt"),
    "typ JWT, where access tokens say at+jwt": _head(typ="JWT"),
    "no typ": _head(typ=...),
    "typ a number": _head(typ=1),
    "a header twice alg": lambda keys: keys.sign(
        b'{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"rsa-dev"}'
    ),
    "a header that is a list": lambda keys: keys.sign(b'["RS256"]'),
    "a header that is no JSON": lambda keys: keys.sign(b"RS256"),
    # The payload as JSON.
    "an empty payload": _payload(lambda good: b""),
    "payload null": _payload(lambda good: b"null"),
    "payload a string": _payload(lambda good: b'"alice"'),
    "payload a list": _payload(lambda good: b"[" + good + b"]"),
    "two subjects": _plus('"sub": "ines"'),
    "two groups claims, one in escapes": _plus('"gr\\u006fups": ["infra"]'),
    "two claims in depth": _plus('"x": {"a": 1, "a": 2}'),
    "deep nesting": _plus('"x": ' + "[" * 40 + "]" * 40),
    "a byte-order mark": _payload(lambda good: b"\xef\xbb\xbf" + good),
    "bytes after the claims": _payload(lambda good: good + b"{}"),
    "a lone surrogate": _plus('"x": "\\ud800"'),
    "not UTF-8": _payload(lambda good: good.replace(b"alice", b"\xff\xfe")),
    # The claims (RFC 7519 §4.1, RFC 9068 §2.2).
    "no iss": _but(iss=...),
    "iss a number": _but(iss=1),
    "iss a list": _but(iss=["https://login.example.com"]),
    "another iss": _but(iss="https://login.example.org"),
    "iss with a slash": _but(iss="https://login.example.com/"),
    "iss in capitals": _but(iss="https://LOGIN.example.com"),
    "iss by http": _but(iss="http://login.example.com"),
    "no aud": _but(aud=...),
    "aud null": _but(aud=None),
    "aud a number": _but(aud=1),
    "aud an object": _but(aud={}),
    "an empty aud": _but(aud=[]),
    "aud with a number in it": _but(aud=["https://mcp.example.com", 1]),
    "another aud": _but(aud="https://other.example.com"),
    "a longer aud": _but(aud="https://mcp.example.com.evil.example"),
    "aud with a path": _but(aud="https://mcp.example.com/presto/mcp"),
    "aud with a slash": _but(aud="https://mcp.example.com/"),
    "the client as aud": _but(aud="dev-client"),
    "no exp": _but(exp=...),
    "exp a string": lambda keys: keys.sign(payload=claims(exp=str(_soon(300)))),
    "exp null": _but(exp=None),
    "exp negative": _but(exp=-1),
    "exp with a fraction": lambda keys: keys.sign(payload=claims(exp=_soon(300) + 0.5)),
    "exp in exponents": _payload(lambda good: re.sub(rb'"exp": \d+', b'"exp": 1e30', good)),
    "exp now": lambda keys: keys.sign(payload=claims(exp=_soon(0))),
    "exp a minute ago": lambda keys: keys.sign(payload=claims(exp=_soon(-60))),
    "exp in two days": lambda keys: keys.sign(payload=claims(exp=_soon(172800))),
    "nbf in ten minutes": lambda keys: keys.sign(payload=claims(nbf=_soon(600))),
    "nbf a string": _but(nbf="now"),
    "nbf null": _but(nbf=None),
    "iat in ten minutes": lambda keys: keys.sign(payload=claims(iat=_soon(600))),
    "iat a string": _but(iat="now"),
    "no sub": _but(sub=...),
    "an empty sub": _but(sub=""),
    "sub a number": _but(sub=1),
    "sub of 257 bytes": _but(sub="x" * 257),
    "sub with a line break": _but(sub="alice\r\nX-Forwarded-User: root"),
    "sub of a workload": _but(sub="spiffe://prod.example.com/ns/lineage/sa/nightly"),
    "sub of a workload in capitals": _but(sub="SPIFFE://prod.example.com/ns/lineage/sa/nightly"),
    "an ID token": _but(nonce="n-0S6_WzA2Mj", at_hash="MTIzNDU2"),
    "a security event": _but(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "token_use id": _but(token_use="id"),
    "typ claim ID": _but(typ="ID"),
    "typ claim Refresh": _but(typ="Refresh"),
    "bound to a certificate": _but(cnf={"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
    "bound to a key": _but(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "groups a number": _but(groups=1),
    "groups an object": _but(groups={"ads": True}),
    "groups null": _but(groups=None),
    "a group that is null": _but(groups=["ads", None]),
    "a group that is a list": _but(groups=[["ads"]]),
    "1001 groups": _but(groups=[f"g{number}" for number in range(1001)]),
    "a group of 300 bytes": _but(groups=["ads", "x" * 300]),
}
