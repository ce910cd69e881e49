"""A steady stream of calls whose tokens are signed while it flows, and of others that no provider
has signed."""

import hashlib
import hmac
import json
import random
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import raw
from bad.row import META, MODERN, rpc
from jose import encoded, part
from load import Call, Connection, Load, Noted
from providers import Provider
from shapes import decoded
from stack import Stack
from wire import USUAL

CONNECTIONS = 6


class Purse:
    """Tokens of one provider that are good now: new ones all the time, while `minting`, and older
    ones beside them."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.refill()
        self._ended = threading.Event()

    def refill(self) -> None:
        """Only tokens that are signed after this."""
        self.tokens = deque([self._new() for _ in range(3)], maxlen=1000)

    def pick(self) -> str:
        """Every other one is among the newest."""
        tokens = self.tokens
        return tokens[-1] if random.random() < 0.5 else random.choice(list(tokens))

    def pick_of(self, kid: str) -> str:
        """The last one that this key signed."""
        return [token for token in self.tokens if kid_of(token) == kid][-1]

    def kids(self) -> set[str]:
        """The keys that signed what is here."""
        return {kid_of(token) for token in list(self.tokens)}

    @contextmanager
    def minting(self) -> Iterator[None]:
        """Signs in a few times a second."""
        self._ended.clear()
        thread = threading.Thread(target=self._mint, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _mint(self) -> None:
        while not self._ended.wait(0.2):
            self.tokens.append(self._new())

    def _new(self) -> str:
        return self.provider.machine("reporter")


def kid_of(token: str) -> str:
    return str(decoded(token)["header"]["kid"])


def unchanged(token: str) -> str:
    return token


# === what must never be accepted ===


SOMEBODY = rsa.generate_private_key(65537, 2048)


def signed_by_somebody(header: dict[str, Any], payload: dict[str, Any]) -> str:
    signed = f"{part(header)}.{part(payload)}"
    signature = SOMEBODY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{encoded(signature)}"


def other_signature(token: str) -> str:
    """Somebody else's signature below the name of the right key."""
    one = decoded(token)
    return signed_by_somebody(one["header"], one["payload"])


def other_groups(token: str) -> str:
    """The provider's signature, but of something else."""
    head, _, signature = token.split(".")
    return f"{head}.{part(decoded(token)['payload'] | {'groups': ['infra']})}.{signature}"


def no_signature(token: str) -> str:
    one = decoded(token)
    return f"{part(one['header'] | {'alg': 'none'})}.{part(one['payload'])}."


def shared_secret(token: str) -> str:
    one = decoded(token)
    signed = f"{part(one['header'] | {'alg': 'HS256'})}.{part(one['payload'])}"
    return f"{signed}.{encoded(hmac.digest(b'secret', signed.encode(), hashlib.sha256))}"


def other_issuer(token: str) -> str:
    """Of an issuer that nobody configured."""
    one = decoded(token)
    there = {"iss": "https://login.elsewhere.example"}
    return signed_by_somebody(one["header"], one["payload"] | there)


def unknown_key(token: str) -> str:
    """Of a key that never was: Toolgate may think of asking for it."""
    one = decoded(token)
    signature = encoded(random.randbytes(256))
    return f"{part(one['header'] | {'kid': str(uuid.uuid4())})}.{part(one['payload'])}.{signature}"


FORGED: list[Callable[[str], str]] = [
    other_signature,
    other_groups,
    no_signature,
    shared_secret,
    other_issuer,
]


# === the stream ===


@dataclass
class Traffic:
    """What flows in a `with` block, until `stop` or its end. Of ten calls with good tokens there are two forged ones,
    and `flood` that name keys which do not exist."""

    stack: Stack
    purses: Mapping[str, Purse]
    rate: float
    flood: int = 0
    _sent: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.good = len(self.purses)
        self.forged = self.good * len(FORGED)
        # Forged ones are made of good ones: they name keys that are known.
        makes = [unchanged, *FORGED, unknown_key]
        calls = [self._call(make, purse) for make in makes for purse in self.purses.values()]
        tls = raw.tls(self.stack.ca, self.stack.cert("ai-chat"))
        port = self.stack.ports["mtls"]
        lanes = [(Connection(port, tls), self._turns(lane)) for lane in range(CONNECTIONS)]
        self._load = Load(self.rate, lanes, calls)

    def _turns(self, seed: int) -> list[int]:
        """Which calls one connection makes, in turn."""
        pick = random.Random(seed)
        unknown = range(self.good + self.forged, 2 * self.good + self.forged)
        turns = []
        for _ in range(20):
            turns += [pick.randrange(self.good) for _ in range(10)]
            turns += [self.good + pick.randrange(self.forged) for _ in range(2)]
            turns += [pick.choice(unknown) for _ in range(self.flood)]
        pick.shuffle(turns)
        return turns

    def _call(self, make: Callable[[str], str], purse: Purse) -> Call:
        body = {"name": "list_tables", "arguments": {}, "_meta": META}
        usual = [*USUAL, ("MCP-Protocol-Version", MODERN)]
        usual += [("Mcp-Method", "tools/call"), ("Mcp-Name", "list_tables")]

        def call(number: int) -> bytes:
            token = self._sent[number] = make(purse.pick())
            headers = [*usual, ("Authorization", f"Bearer {token}")]
            return raw.request("POST", "/presto/mcp", headers, rpc("tools/call", body, id=number))

        return call

    def __enter__(self) -> "Traffic":
        self._load.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._load.stop()

    def count(self) -> int:
        """How many calls were answered."""
        return self._load.count()

    def until(self, count: int) -> None:
        """Waits until so many calls were answered."""
        deadline = time.monotonic() + 30 + 4 * count / self.rate
        while self.count() < count:
            assert time.monotonic() < deadline, f"only {self.count()} of {count} calls were made"
            time.sleep(0.05)

    def stop(self) -> "Outcome":
        noted = self._load.stop()
        good = [one for one in noted if one.call < self.good]
        bad = [one for one in noted if one.call >= self.good]
        return Outcome(
            len(noted),
            [self._told(one) for one in good if one.status != 200 or "result" not in one.json()],
            [self._told(one) for one in bad if one.status != 401],
            Counter(kid_of(self._sent[one.number]) for one in good),
        )

    def _told(self, noted: Noted) -> dict[str, Any]:
        """Everything about a call that was not answered as it should be."""
        token = decoded(self._sent[noted.number])
        return {
            "status": noted.status,
            "at": noted.sent,
            "took": round(noted.answered - noted.sent, 3),
            "body": noted.body[:300],
            "kid": token["header"]["kid"],
            "iss": token["payload"]["iss"],
        }


@dataclass(frozen=True)
class Outcome:
    """What came of the stream."""

    calls: int
    refused: Sequence[Mapping[str, Any]]  # although the token is good
    accepted: Sequence[Mapping[str, Any]]  # although it is not, or at least not answered with 401
    by_key: Mapping[str, int]  # good tokens

    def check(self) -> None:
        """No good token refused, no bad one accepted."""
        problems = {"refused": self.refused, "accepted": self.accepted}
        shown = {name: (len(found), list(found)[:5]) for name, found in problems.items() if found}
        assert not shown, json.dumps(shown, indent=2, default=str)
