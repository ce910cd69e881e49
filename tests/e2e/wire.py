"""Single requests through Envoy, byte for byte, as people and workloads that the samples know."""

import ssl
from collections.abc import Callable, Iterable

import raw
from bad.row import META, MODERN, tool
from people import GROUPS
from raw import Answer, Header
from stack import Stack
from story import LAPTOP

USUAL: list[Header] = [
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
]


class Wire:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._tokens: dict[str, str] = {}
        self._tls: dict[str, ssl.SSLContext] = {}

    def send(
        self,
        target: str | bytes,
        body: bytes | None,
        *,
        method: str = "POST",
        headers: Iterable[Header] = (),
        without: Iterable[str] = (),
        person: str | None = "alice",
        place: str = "ai-chat",
        last: Callable[[bytes], bytes] = lambda sent: sent,
    ) -> Answer:
        """One request with the usual headers, but `without` some, and `headers`, in which TOKEN
        stands for the person's token. `last` may change the bytes that are sent."""
        token = self.token(person) if person else ""
        usual = USUAL if body is not None else []
        if person:
            usual = [*usual, ("Authorization", f"Bearer {token}")]
        kept = [(name, value) for name, value in usual if name.lower() not in without]
        sent = raw.request(method, target, [*kept, *headers], body)
        return self.exchange(last(sent.replace(b"TOKEN", token.encode())), place)

    def call(
        self,
        server: str = "presto",
        name: str = "list_tables",
        *,
        headers: Iterable[Header] = (),
        token: str | None = None,
        person: str | None = "alice",
        place: str = "ai-chat",
    ) -> Answer:
        """One call of a tool that a modern client could make. A `token` stands for the person."""
        usual = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", "tools/call"), ("Mcp-Name", name)]
        if token is not None:
            person, usual = None, [*usual, ("Authorization", f"Bearer {token}")]
        body = tool(name, arguments={"query": "x"}, _meta=META)
        return self.send(
            f"/{server}/mcp", body, headers=[*usual, *headers], person=person, place=place
        )

    def exchange(self, sent: bytes, place: str) -> Answer:
        if place == LAPTOP:
            return raw.exchange(self.stack.ports["plain"], sent)
        if place not in self._tls:
            self._tls[place] = raw.tls(self.stack.ca, self.stack.cert(place))
        return raw.exchange(self.stack.ports["mtls"], sent, self._tls[place])

    def token(self, person: str) -> str:
        if person not in self._tokens:
            known = person in GROUPS
            sign_in = self.stack.sign_in if known else self.stack.token
            self._tokens[person] = sign_in(person, ttl=3600)
        return self._tokens[person]
