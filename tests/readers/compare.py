"""Whether everybody reads what Toolgate lets through as Toolgate does.

Bodies are made of good ones by changes that readers are known to differ on, and by chance. Where
Toolgate allows one, every other reader has to read the same method, target and arguments, or
nothing. `--seed` makes the same bodies again.
"""

import argparse
import base64
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from read import text

HERE = Path(__file__).parent
BATCH = 2_000


def rpc(method: str, **params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


SEEDS = [
    rpc("tools/call", name="list_tables"),
    rpc("tools/call", name="run_query", arguments={"sql": "select 1", "limit": 10, "to": ["a"]}),
    rpc("tools/call", name="x", arguments={"a": {"b": [1, 2.5, None, True]}}, _meta={"p": 1}),
    rpc("resources/read", uri="kb://docs/a"),
    rpc("resources/subscribe", uri="kb://docs/a"),
    rpc("prompts/get", name="summary", arguments={"a": "b"}),
    rpc("completion/complete", ref={"type": "ref/prompt", "name": "p"}, argument={"name": "x"}),
    rpc("completion/complete", ref={"type": "ref/resource", "uri": "kb://a/b"}),
    rpc("tools/list", cursor="c"),
    rpc("tasks/get", taskId="t-1"),
    rpc("subscriptions/listen", notifications={"resourceSubscriptions": ["kb://a", "kb://b"]}),
    rpc("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "n"}),
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
]
KEYS = [
    *("jsonrpc", "id", "method", "params", "name", "uri", "arguments", "ref", "type", "_meta"),
    *("taskId", "notifications", "resourceSubscriptions"),
]
# Pieces that some reader takes for something else than another does.
PIECES = [
    *('"%s":"evil",' % key for key in KEYS),
    *('"%s":"evil",' % key.capitalize() for key in KEYS),
    *('"%s":"evil",' % key.upper() for key in KEYS),
    '"nam\\u0065":"evil",', '"\\u006eame":"evil",', '"name\\u0000":"evil",', '"name ":"evil",',
    '"argument\u017f":{},', '"ta\u017fk":{},', '"\u212aey":1,', '"__proto__":{"name":"evil"},',
    '"constructor":{"prototype":{}},', '"toString":1,', '"":"evil",', '"name":null,',
    '"params":{"name":"evil"},', '"params":{},', '"x":{"name":"a","name":"b"},', '"x":[{}],',
    "\ufeff", "\u00a0", "\u2028", "\u0085", "\v", "\f", "\0", "\x1a", "/**/", "//\n", "#\n", ",",
    "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\u0000", "\\/", "\\b", "\\x41", "\\'", "\\u{41}",
    "1e999", "-0", "-0.0", "0x10", "1_000", "01", "1.", ".5", "+1", "NaN", "Infinity", "1E400",
    "9007199254740993", "99999999999999999999999999", "1e-400", "0.1e1", "true", "null", "True",
    "{}", "[]", "[[[[]]]]", '{"a":1}', '"', "'", "\\", "\r\n", "\t", " ", "}", "{", "]", "[", ":",
]  # fmt: skip


def changed(chance: random.Random, body: bytes) -> bytes:
    match chance.randrange(9):
        case 0 | 1 | 2:  # A piece, somewhere.
            at = chance.randrange(len(body) + 1)
            return body[:at] + chance.choice(PIECES).encode() + body[at:]
        case 3 | 4:  # A piece as the first member of an object.
            places = [at for at, byte in enumerate(body) if byte == ord("{")]
            at = chance.choice(places) + 1 if places else 0
            return body[:at] + chance.choice(PIECES).encode() + body[at:]
        case 5:  # A piece in the place of a value.
            places = [at for at, byte in enumerate(body) if byte == ord(":")]
            at = chance.choice(places) + 1 if places else 0
            ends = [end for end in range(at, len(body)) if body[end] in b",}"] or [len(body)]
            return body[:at] + chance.choice(PIECES).encode() + body[ends[0] :]
        case 6:  # Some letter as its escape.
            places = [at for at, byte in enumerate(body) if chr(byte).isalnum()]
            if not places:
                return body
            at = chance.choice(places)
            return body[:at] + b"\\u%04x" % body[at] + body[at + 1 :]
        case 7:  # Some byte.
            at = chance.randrange(len(body) or 1)
            return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        case _:  # Something goes, or comes twice.
            start = chance.randrange(len(body) + 1)
            end = min(len(body), start + chance.randrange(1, 40))
            return body[:start] + body[start:end] * chance.choice([0, 2]) + body[end:]


def make(chance: random.Random) -> bytes:
    body = chance.choice(SEEDS).encode()
    for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3])):
        body = changed(chance, body)
    return body


def ask(command: list[str], lines: str, answers: int) -> list[list[object]]:
    """What one reader says: so many answers for each line."""
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    said = [json.loads(line, parse_int=float) for line in done.stdout.split("\n")[:-1]]
    assert len(said) == answers * lines.count("\n"), command
    return [said[at : at + answers] for at in range(0, len(said), answers)]


def ours(said: object) -> object:
    """Toolgate says the arguments as canonical text, which keeps every number as it stands."""
    if isinstance(said, dict) and said["arguments"] is not None:
        said["arguments"] = text(json.loads(said["arguments"]))
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--toolgate", required=True, help="the example read_messages")
    parser.add_argument("--go", required=True, help="read.go, built")
    args = parser.parse_args()
    readers = [
        ("Python json", [sys.executable, str(HERE / "read.py")], 2, 0),
        ("pydantic", [], 0, 1),
        ("JavaScript", ["node", str(HERE / "read.mjs")], 1, 0),
        ("Go, whole", [args.go], 2, 0),
        ("Go, first document", [], 0, 1),
    ]
    chance = random.Random(args.seed)
    print(f"Comparing what five readers read for {args.seconds:.0f} s, --seed {args.seed}")
    end, made, allowed, differ = time.monotonic() + args.seconds, 0, 0, 0
    agreed = dict.fromkeys((name for name, *_ in readers), 0)
    while made == 0 or time.monotonic() < end:
        bodies = [make(chance) for _ in range(BATCH)]
        lines = "".join(base64.b64encode(body).decode() + "\n" for body in bodies)
        mine = [ours(said) for [said] in ask([args.toolgate], lines, 1)]
        made += len(bodies)
        allowed += sum(said is not None for said in mine)
        said: list[list[object]] = []
        for name, command, answers, which in readers:
            said = ask(command, lines, answers) if command else said
            for body, our, their in zip(bodies, mine, said, strict=True):
                if our is None or their[which] is None:
                    continue
                if our == their[which]:
                    agreed[name] += 1
                    continue
                differ += 1
                print(f"{name} reads another message out of {body!r}:", file=sys.stderr)
                print(f"  Toolgate  {our}\n  {name}  {their[which]}", file=sys.stderr)
        if differ > 20:
            break
    print(f"{made:,} bodies, of which Toolgate lets {allowed:,} through")
    for name, count in agreed.items():
        print(f"  {name:<20} reads {count:,} of them, as Toolgate does")
    # Of what nobody reads, nothing is learned.
    vacuous = allowed < made // 20 or any(count < allowed // 2 for count in agreed.values())
    if differ or vacuous:
        print(f"FAILED: {differ} differ" if differ else "FAILED: too little was compared")
        return 1
    print("every reader agrees with Toolgate on what it lets through")
    return 0


if __name__ == "__main__":
    sys.exit(main())
