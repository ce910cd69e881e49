"""What a person's browser and a client do to sign in: the authorization code flow with PKCE
(RFC 7636), with a provider's own pages, whose forms are filled in."""

import base64
import hashlib
import http.cookiejar
import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

CALLBACK = "https://client.example.com/callback"  # nobody goes there: it is only looked at
PATIENCE = 60.0  # seconds, of which a busy machine may take many
STEPS = 6  # forms until somebody must be signed in


class SignInError(Exception):
    """A provider did not do what it should."""


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint answered."""

    access: str
    id: str
    refresh: str


class Client:
    """One visitor of one provider, with the endpoints that its discovery document names."""

    def __init__(self, issuer: str, ca: str) -> None:
        self._tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
        self._open = self._opener()
        self.endpoints = self.get(f"{issuer}/.well-known/openid-configuration")

    def get(self, url: str, token: str | None = None) -> Any:
        """A JSON document."""
        return self._json(urllib.request.Request(url), token)

    def send(self, method: str, url: str, token: str, document: Any = None) -> Any:
        """The answer to a JSON document, if it has one."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        request.method = method
        return self._json(request, token)

    def token(self, **form: str) -> dict[str, Any]:
        """The answer of the token endpoint."""
        return self.post(self.endpoints["token_endpoint"], **form)

    def post(self, url: str, **form: str) -> dict[str, Any]:
        data = urllib.parse.urlencode(form).encode()
        answer: dict[str, Any] = self._json(urllib.request.Request(url, data))
        return answer

    def sign_in(self, client: str, filled: dict[str, str], scope: str, **more: str) -> Tokens:
        """Signs in with a fresh browser. `filled` is what is typed, by the names of the fields;
        `more` goes with the authorization request."""
        self._open = self._opener()
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        state = secrets.token_urlsafe(12)
        query = {
            "client_id": client,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": scope,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        at = f"{self.endpoints['authorization_endpoint']}?{urllib.parse.urlencode(query)}"
        answer = self._until_callback(urllib.request.Request(at), filled)
        if answer.get("state") != [state] or "code" not in answer:
            raise SignInError(f"the browser was sent back with {answer}")
        exchange = {"code": answer["code"][0], "code_verifier": verifier, "client_id": client}
        if "resource" in more:
            exchange["resource"] = more["resource"]
        exchange |= {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
        tokens = self.token(**exchange)
        return Tokens(*(tokens[f"{kind}_token"] for kind in ["access", "id", "refresh"]))

    def _until_callback(
        self, request: urllib.request.Request, filled: dict[str, str]
    ) -> dict[str, list[str]]:
        """Goes where it is sent and fills in forms; the query of where that ended."""
        for _ in range(STEPS):
            try:
                with self._open.open(request, timeout=PATIENCE) as answer:
                    form = _Form(answer.read().decode())
                    at = answer.url
            except urllib.error.HTTPError as error:
                there = error.headers.get("Location", "")
                if not there.startswith(CALLBACK):
                    text = error.read().decode(errors="replace")[:500]
                    raise SignInError(f"{error.code} {request.full_url}: {text}") from None
                return urllib.parse.parse_qs(urllib.parse.urlsplit(there).query)
            typed = {name: filled.get(name, value) for name, value in form.fields.items()}
            data = urllib.parse.urlencode(typed).encode()
            request = urllib.request.Request(urllib.parse.urljoin(at, form.action), data)
        raise SignInError(f"still no end after {STEPS} forms, the last with {sorted(form.fields)}")

    def _json(self, request: urllib.request.Request, token: str | None = None) -> Any:
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with self._open.open(request, timeout=PATIENCE) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:500]
            raise SignInError(f"{error.code} {request.full_url}: {text}") from None
        return json.loads(body) if body else None

    def _opener(self) -> urllib.request.OpenerDirector:
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        no_proxy = urllib.request.ProxyHandler({})
        return urllib.request.build_opener(no_proxy, self._tls, cookies, _UntilCallback)


class _UntilCallback(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not out of the provider."""

    def redirect_request(self, *about: Any) -> Any:
        *_, there = about
        return None if there.startswith(CALLBACK) else super().redirect_request(*about)


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._state = "before"
        self.feed(page)
        if self._state == "before":
            raise SignInError(f"a page without a form: {page[:500]}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and self._state == "before":
            self._state, self.action = "in", given.get("action") or ""
        elif tag == "input" and self._state == "in" and given.get("type") != "checkbox":
            if name := given.get("name"):
                self.fields[name] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._state == "in":
            self._state = "after"
