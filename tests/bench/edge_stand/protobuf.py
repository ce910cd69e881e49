"""Just enough of the protobuf encoding to write the requests that Envoy sends to an authorizer."""

from collections.abc import Mapping, Sequence


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number: int, content: "str | bytes") -> bytes:
    """A string, bytes, or a message that is encoded already."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def strings(number: int, entries: Mapping[str, str]) -> bytes:
    """A map of strings."""
    return b"".join(field(number, field(1, key) + field(2, entries[key])) for key in entries)


def peer(port: int, principal: str, certificate: str = "") -> bytes:
    """`AttributeContext.Peer` on the loopback."""
    address = field(1, field(1, field(2, "127.0.0.1") + integer(3, port)))
    return address + field(4, principal) + (field(5, certificate) if certificate else b"")


def check_request(
    headers: Sequence[tuple[str, str]],
    body: bytes,
    extensions: Mapping[str, str],
    source: bytes,
    *,
    raw: bool = True,
) -> bytes:
    """A `CheckRequest`. `raw`: headers and body in bytes, as Toolgate has Envoy send them; else as
    text, which is Envoy's default."""
    named = dict(headers)
    if raw:
        # `HeaderValue` has the name and, as bytes, the value.
        values = (field(1, field(1, name) + field(3, value)) for name, value in headers)
        shown = field(13, b"".join(values)) + field(12, body)
    else:
        shown = strings(3, named) + field(11, body)
    http = (
        field(1, "8302563271340231145")
        + field(2, named[":method"])
        + field(4, named[":path"])
        + field(5, named[":authority"])
        + field(6, named[":scheme"])
        + integer(9, len(body))
        + field(10, "HTTP/1.1")
        + shown
    )
    time = field(1, integer(1, 1_790_000_000) + integer(2, 123_456_000))
    attributes = (
        field(1, source)
        + field(2, peer(8443, ""))
        + field(4, time + field(2, http))
        + strings(10, extensions)
        # What Envoy sends empty: the metadata of filters and of the route.
        + field(11, b"")
        + field(13, b"")
    )
    return field(1, attributes)
