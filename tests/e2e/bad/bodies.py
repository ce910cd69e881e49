"""Bodies that are no strict JSON or no message, framed or coded in ways that readers differ on."""

import gzip
from typing import Any

from bad.row import CALL, NOT_A_MESSAGE, NOT_JSON, Bad, rpc, tool


def _json(name: str, body: bytes | str, code: int = NOT_JSON, id: Any = None) -> Bad:
    body = body if isinstance(body, bytes) else body.encode()
    return Bad(name, 400, "malformed", code, id, body=body)


_OPEN = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_tables"'

NOT_STRICT_JSON = [
    _json("an empty body", b""),
    _json("white space", b"  \r\n"),
    _json("a byte-order mark", b"\xef\xbb\xbf" + CALL),
    _json("UTF-16", CALL.decode().encode("utf-16")),
    _json("bytes that are not UTF-8", CALL.replace(b"list", b"\xff\xfe")),
    _json("an overlong encoding", CALL.replace(b"list", b"\xc0\xaf")),
    _json("half a message", CALL[:-2]),
    _json("two messages", CALL + CALL),
    _json("two messages on two lines", CALL + b"\n" + CALL),
    _json("a zero byte at the end", CALL + b"\0"),
    _json("a comment", b"/* x */" + CALL),
    _json("a trailing comma", CALL[:-1] + b",}"),
    _json("single quotes", CALL.replace(b'"', b"'")),
    _json("keys without quotes", '{jsonrpc:"2.0",id:1,method:"ping"}'),
    _json("NaN", _OPEN + ',"arguments":{"x":NaN}}}'),
    _json("Infinity", _OPEN + ',"arguments":{"x":Infinity}}}'),
    _json("a hexadecimal number", _OPEN + ',"arguments":{"x":0x10}}}'),
    _json("a leading zero", _OPEN + ',"arguments":{"x":01}}}'),
    _json("a plus sign", _OPEN + ',"arguments":{"x":+1}}}'),
    _json("a bare line break in a string", _OPEN + ',"arguments":{"x":"a\nb"}}}'),
    _json("an unknown escape", _OPEN + ',"arguments":{"x":"\\x41"}}}'),
    _json("a lone surrogate", _OPEN + ',"arguments":{"x":"\\ud800"}}}'),
    _json("deep nesting", _OPEN + ',"arguments":{"x":' + "[" * 100 + "]" * 100 + "}}}"),
    _json("two names", _OPEN + ',"name":"overwrite_table"}}'),
    _json("two names, one in escapes", _OPEN + ',"n\\u0061me":"overwrite_table"}}'),
    _json("two names, one in capitals", _OPEN + ',"Name":"overwrite_table"}}'),
    _json("two arguments", _OPEN + ',"arguments":{},"arguments":{"a":1}}}'),
    _json("two argumentſ", _OPEN + ',"arguments":{},"argumentſ":{"a":1}}}'),
    _json("two arguments in depth", _OPEN + ',"arguments":{"x":{"a":1,"a":2}}}}'),
    _json("two methods", '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}'),
    _json("two methods, one in capitals", '{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"x"}'),
    _json("two ids", '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'),
    _json("two tasKs", _OPEN + ',"task":{},"tas\u212a":{}}}'),
    _json("two params", '{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"Params":{}}'),
]


def _message(name: str, body: bytes | str) -> Bad:
    return _json(name, body, NOT_A_MESSAGE)


NOT_A_MESSAGE_AT_ALL = [
    _message("a batch", b"[" + CALL + b"]"),
    _message("an empty batch", "[]"),
    _message("a batch of two", b"[" + CALL + b"," + CALL + b"]"),
    _message("a string", '"ping"'),
    _message("a number", "1"),
    _message("null", "null"),
    _message("an empty object", "{}"),
    _message("no jsonrpc", '{"id":1,"method":"ping"}'),
    _message("jsonrpc 1.0", rpc("ping", jsonrpc="1.0")),
    _message("jsonrpc as a number", rpc("ping", jsonrpc=2.0)),
    _message("no id", '{"jsonrpc":"2.0","method":"ping"}'),
    _message("a call without an id", '{"jsonrpc":"2.0","method":"tools/call","params":{}}'),
    _message("id null", rpc("ping", id=None)),
    _message("id with a fraction", rpc("ping", id=1.5)),
    _message("id in exponents", '{"jsonrpc":"2.0","id":1e3,"method":"ping"}'),
    _message("id an object", rpc("ping", id={})),
    _message("id a list", rpc("ping", id=[1])),
    _message("id a boolean", rpc("ping", id=True)),
    _message("id of 300 bytes", rpc("ping", id="x" * 300)),
    _message("a notification with an id", rpc("notifications/initialized")),
    _message("no method", '{"jsonrpc":"2.0","id":1,"params":{}}'),
    _message("method a number", rpc(7)),
    _message("method null", rpc(None)),
    _message("params a list", rpc("ping", [])),
    _message("params null", '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}'),
    _message("params a string", rpc("ping", "x")),
    _message("a request with a result", rpc("tools/list", result={})),
    _message("a request with an error", rpc("tools/list", error={"code": 1, "message": "x"})),
    _message("a result and an error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}'),
    _message("a response with id null", '{"jsonrpc":"2.0","id":null,"result":{}}'),
    _message("a lone Method", '{"jsonrpc":"2.0","id":1,"Method":"ping"}'),
    _message("a lone ID beside a method", '{"jsonrpc":"2.0","ID":1,"method":"ping"}'),
    _message("a lone Params", '{"jsonrpc":"2.0","id":1,"method":"ping","Params":{"name":"x"}}'),
    _message("a lone Name", rpc("tools/call", {"Name": "list_tables"})),
    _message("a lone _META", rpc("ping", {"_META": {}})),
    _message("_meta a number", rpc("ping", {"_meta": 1})),
]


def _typed(value: str | bytes) -> Bad:
    return Bad(
        f"content type {value!r}",
        400,
        headers=(("Content-Type", value),),
        without=("content-type",),
    )


def _coded(value: str, body: bytes = CALL) -> Bad:
    return Bad(f"content coding {value!r}", 400, headers=(("Content-Encoding", value),), body=body)


BODIES = [
    Bad("no content type", 400, without=("content-type",)),
    Bad("two content types", 400, headers=(("Content-Type", "application/json"),)),
    Bad("two different content types", 400, headers=(("Content-Type", "text/plain"),)),
    _typed(""),
    _typed("text/plain"),
    _typed("text/json"),
    _typed("text/event-stream"),
    _typed("application/x-www-form-urlencoded"),
    _typed("multipart/form-data; boundary=x"),
    _typed("application/json5"),
    _typed("application/jsonl"),
    _typed("application/json-patch+json"),
    _typed("application/json, text/plain"),
    _typed("application/json; charset=utf-16"),
    _typed("application/json; charset=utf-7"),
    _typed("application/json; charset=utf-8; charset=utf-16"),
    _typed("application/json; boundary=x"),
    _typed(b"application/json\xa0"),
    _coded("gzip", gzip.compress(CALL)),
    _coded("gzip"),
    _coded("deflate"),
    _coded("br"),
    _coded("zstd"),
    _coded("identity, gzip"),
    _coded("x"),
    Bad("a body over 1 MiB", 413, None, body=tool("list_tables", arguments={"x": "x" * 1048576})),
    # Framing (RFC 9112 §6.3, §5).
    Bad("two lengths", 400, None, headers=(("Content-Length", "1"), ("Content-Length", "2"))),
    Bad("a negative length", 400, None, headers=(("Content-Length", "-1"),)),
    Bad("a length in words", 400, None, headers=(("Content-Length", "ten"),)),
    Bad(
        "a length and chunks",
        400,
        None,
        headers=(("Content-Length", "5"), ("Transfer-Encoding", "chunked")),
        body=b"0\r\n\r\n",
    ),
    Bad("another transfer coding", 501, None, headers=(("Transfer-Encoding", "gzip, chunked"),)),
    Bad("a broken chunk", 400, None, headers=(("Transfer-Encoding", "chunked"),), body=b"zz\r\n"),
    Bad("a header with a blank before the colon", 400, None, headers=(("X-A ", "b"),)),
    Bad("a header with a zero byte", 400, None, headers=(("X-A", "b\0c"),)),
    Bad("a header without a name", 400, None, headers=(("", "b"),)),
    Bad("a header name in UTF-8", 400, None, headers=(("X-é", "b"),)),
    Bad("101 headers", 431, None, headers=tuple((f"X-{n}", "b") for n in range(101))),
    Bad("a header of 64 KiB", 431, None, headers=(("X-A", "b" * 65536),)),
    Bad("HTTP/1.0", 426, None, wire=lambda sent: sent.replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    Bad("HTTP/0.9", 426, None, wire=lambda sent: b"POST /presto/mcp\r\n\r\n"),
    Bad("a blank in the target", 400, None, target="/presto/mcp HTTP/1.1 x"),
]
