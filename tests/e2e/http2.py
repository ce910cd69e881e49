"""HTTP/2 as it should not be: header lists reach the wire as they are given, pseudo-headers,
duplicates, case and all."""

import socket
import ssl
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from raw import PATIENCE, Answer

Field = tuple[str, str]


def exchange(
    port: int,
    fields: Sequence[Field],
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    trailers: Sequence[Field] = (),
) -> Answer:
    """One request on a connection of its own. Trailers stand among the headers of the answer, whose
    status is 0 when the stream or the connection ended without one."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is None:
                return on(plain, fields, body, trailers)
            tls.set_alpn_protocols(["h2"])
            with tls.wrap_socket(plain, server_hostname="localhost") as wrapped:
                return on(wrapped, fields, body, trailers)
    except (ConnectionError, ssl.SSLError, h2.exceptions.ProtocolError):
        return Answer(0, [], b"")


def on(
    sock: socket.socket,
    fields: Sequence[Field],
    body: bytes | None,
    trailers: Sequence[Field] = (),
) -> Answer:
    """The same on a connection that is there already, and that speaks nothing else."""
    config = h2.config.H2Configuration(
        header_encoding="latin-1",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(stream, _bytes(fields), end_stream=body is None)
    if body is not None:
        connection.send_data(stream, body, end_stream=not trailers)
    if trailers:
        connection.send_headers(stream, _bytes(trailers), end_stream=True)
    sock.sendall(connection.data_to_send())
    headers: list[Field] = []
    content = b""
    while data := sock.recv(65536):
        for event in connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                    headers += [(str(name), str(value)) for name, value in event.headers]
                case h2.events.DataReceived():
                    content += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                case h2.events.StreamEnded():
                    status = int(dict(headers).get(":status", "0"))
                    return Answer(status, headers, content)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    return Answer(int(dict(headers).get(":status", "0")), headers, content)
        sock.sendall(connection.data_to_send())
    return Answer(0, headers, content)


def _bytes(fields: Sequence[Field]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
