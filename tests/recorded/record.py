"""Records what a real Envoy asks that is configured as Istio's sidecar is: see README.md.

python tests/recorded/record.py   (with the environment of `make venv`)
"""

import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = Path(__file__).parent
ENVOY = Path(sys.executable).parent / "envoy"
RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
EXT_AUTHZ = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
SPIFFE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
MANAGER = (
    "type.googleapis.com/"
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
CLUSTER = "outbound|9191||toolgate.mcp.svc.cluster.local"

CALLERS = {
    "webapp": "spiffe://cluster.local/ns/ai-chat/sa/webapp",
    "stranger": "spiffe://cluster.local/ns/other/sa/other",
    "second-domain": "spiffe://partner.example.org/ns/ai-chat/sa/webapp",
    "nobody": None,
    # What an authority should not sign, and what Envoy takes all the same.
    "pair-in-name": "spiffe://cluster.local/x;URI=spiffe://cluster.local/ns/ai-chat/sa/webapp",
    "dns-in-name": "spiffe://cluster.local/ns/ai-chat/sa/webapp;DNS=x",
    "element-in-name": "spiffe://cluster.local/x,By=spiffe://cluster.local/ns/mcp/sa/presto;Hash="
    + "ab" * 32
    + ';Subject="";URI=spiffe://cluster.local/ns/ai-chat/sa/webapp',
}

# === what Istio generates, and what an EnvoyFilter merges into it ===

PROVIDER: dict[str, Any] = {
    "@type": EXT_AUTHZ,
    "transport_api_version": "V3",
    "grpc_service": {
        "envoy_grpc": {"cluster_name": CLUSTER, "authority": "toolgate.mcp.svc.cluster.local"},
        "timeout": "600s",
    },
    "filter_enabled_metadata": {
        "filter": "envoy.filters.http.rbac",
        "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
        "value": {"string_match": {"prefix": "istio-ext-authz-toolgate"}},
    },
    "with_request_body": {"max_request_bytes": 1048576, "pack_as_bytes": True},
}
MERGED = {
    "provider": {},
    "raw-headers": {"encode_raw_headers": True},
    "certificate": {"encode_raw_headers": True, "include_peer_certificate": True},
    "details": {"encode_raw_headers": True},
}
# What stands in X-Forwarded-Client-Cert: `proxyHeaders` of Istio's `ProxyConfig` can add to it.
DETAILS = {"subject": True, "dns": True, "uri": True}
MORE_DETAILS = {"details": {"cert": True, "chain": True}}
ROUTE = {
    "toolgate.server": "presto@prod",
    "toolgate.path": "/presto/mcp",
    "toolgate.route": "ROUTE",
}


def rbac() -> dict[str, Any]:
    name = "istio-ext-authz-toolgate-ns[mcp]-policy[toolgate]-rule[0]"
    policy = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    rules = {"action": "DENY", "policies": {name: policy}}
    return {"@type": RBAC, "shadow_rules": rules, "shadow_rules_stat_prefix": "istio_ext_authz_"}


def manager(name: str) -> dict[str, Any]:
    typed = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
    route = {
        "name": "default",
        "match": {"prefix": "/"},
        "direct_response": {"status": 200},
        "typed_per_filter_config": {
            "envoy.filters.http.ext_authz": {
                "@type": typed,
                "check_settings": {"context_extensions": ROUTE},
            }
        },
    }
    host = {"name": "inbound|http|8080", "domains": ["*"], "routes": [route]}
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": MANAGER,
            "stat_prefix": "inbound_0.0.0.0_8080",
            "server_name": "istio-envoy",
            "use_remote_address": False,
            "forward_client_cert_details": "APPEND_FORWARD",
            "set_current_client_cert_details": DETAILS | MORE_DETAILS.get(name, {}),
            "normalize_path": True,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "route_config": {"name": "inbound|8080||", "virtual_hosts": [host]},
            "http_filters": [
                {"name": "envoy.filters.http.rbac", "typed_config": rbac()},
                {"name": "envoy.filters.http.ext_authz", "typed_config": PROVIDER | MERGED[name]},
                {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}},
            ],
        },
    }


def bootstrap(run: Path, ports: dict[str, int]) -> dict[str, Any]:
    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    domains = {"cluster.local", "partner.example.org"}
    validator = {
        "name": "envoy.tls.cert_validator.spiffe",
        "typed_config": {
            "@type": SPIFFE,
            "trust_domains": [
                {"name": domain, "trust_bundle": {"filename": str(run / f"{domain}.pem")}}
                for domain in sorted(domains)
            ],
        },
    }
    own = {"certificate_chain": run / "envoy.pem", "private_key": run / "envoy.key"}
    tls = {
        "@type": TLS,
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [{name: {"filename": str(path)} for name, path in own.items()}],
            "validation_context": {"custom_validator_config": validator},
        },
    }
    listeners = []
    for name in MERGED:
        # As with PeerAuthentication `PERMISSIVE`: with mutual TLS, and without.
        secured = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
        for kind, more in [("mtls", {"transport_socket": secured}), ("plain", {})]:
            chain = {"filters": [manager(name)]} | more
            listeners.append(
                {
                    "name": f"{name}-{kind}",
                    "address": address(ports[f"{name}-{kind}"]),
                    "filter_chains": [chain],
                }
            )
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {
        "@type": f"type.googleapis.com/{options}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": address(ports["toolgate"])}}
    cluster = {
        "name": CLUSTER,
        "type": "STATIC",
        "typed_extension_protocol_options": {options: http2},
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    resources = {"listeners": listeners, "clusters": [cluster]}
    return {"node": {"id": "sidecar", "cluster": "presto.mcp"}, "static_resources": resources}


# === certificates as a mesh's authority issues them, but for a hundred years ===


def issue(run: Path) -> None:
    for domain in ["cluster.local", "partner.example.org"]:
        key = ec.generate_private_key(ec.SECP256R1())
        root = certificate(f"spiffe://{domain}", key.public_key(), None, key, domain)
        write(run / f"{domain}.pem", root)
        named = {name: uri for name, uri in CALLERS.items() if uri}
        named["envoy"] = "spiffe://cluster.local/ns/mcp/sa/presto"
        for name, uri in named.items():
            if uri.startswith(f"spiffe://{domain}/"):
                own = ec.generate_private_key(ec.SECP256R1())
                write(run / f"{name}.pem", certificate(uri, own.public_key(), root, key, domain))
                form = serialization.PrivateFormat.PKCS8
                encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
                (run / f"{name}.key").write_bytes(own.private_bytes(encoding, form, none))


def certificate(
    uri: str,
    key: ec.EllipticCurvePublicKey,
    root: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey,
    domain: str,
) -> x509.Certificate:
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, domain)])
    now, signs = datetime.now(timezone.utc), root is None
    usage = x509.KeyUsage(not signs, False, not signs, False, False, signs, signs, False, False)
    return (
        x509.CertificateBuilder()
        # Istio's leaves have no subject.
        .subject_name(issuer if signs else x509.Name([]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=not signs
        )
        .sign(signer, hashes.SHA256())
    )


def write(path: Path, made: x509.Certificate) -> None:
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


# === in Toolgate's place: answers every question with "denied", and keeps it ===


class Recorder(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=[peer], daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http.initiate_connection()
        bodies: dict[int, bytes] = {}
        while True:
            peer.sendall(http.data_to_send())
            data = peer.recv(65536)
            if not data:
                return
            for event in http.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    stream = event.stream_id
                    bodies[stream] = bodies.get(stream, b"") + event.data
                    http.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    self.asked.append(bodies.pop(event.stream_id)[5:])
                    self._deny(http, event.stream_id)

    @staticmethod
    def _deny(http: h2.connection.H2Connection, stream: int) -> None:
        http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        http.send_data(stream, struct.pack(">BI", 0, 4) + b"\x0a\x02\x08\x07")
        http.send_headers(stream, [("grpc-status", "0")], end_stream=True)


# === a CheckRequest as JSON ===

# By message: the number of a field, its name, and what it is; `+` repeats, `:` is a map of texts.
FIELDS: dict[str, dict[int, tuple[str, str]]] = {
    "CheckRequest": {1: ("attributes", "AttributeContext")},
    "AttributeContext": {
        1: ("source", "Peer"),
        2: ("destination", "Peer"),
        4: ("request", "Request"),
        10: ("context_extensions", ":"),
        11: ("metadata_context", "Empty"),
        13: ("route_metadata_context", "Empty"),
    },
    "Peer": {1: ("address", "Address"), 4: ("principal", "text"), 5: ("certificate", "text")},
    "Address": {1: ("socket_address", "SocketAddress")},
    "SocketAddress": {2: ("address", "text"), 3: ("port_value", "number")},
    "Request": {1: ("time", "Time"), 2: ("http", "Http")},
    "Time": {1: ("seconds", "number"), 2: ("nanos", "number")},
    "Http": {
        1: ("id", "text"),
        2: ("method", "text"),
        3: ("headers", ":"),
        4: ("path", "text"),
        5: ("host", "text"),
        6: ("scheme", "text"),
        9: ("size", "number"),
        10: ("protocol", "text"),
        11: ("body", "text"),
        12: ("raw_body", "text"),
        13: ("header_map", "HeaderMap"),
    },
    "HeaderMap": {1: ("headers", "+Header")},
    "Header": {1: ("key", "text"), 2: ("value", "text"), 3: ("raw_value", "text")},
    "Pair": {1: ("key", "text"), 2: ("value", "text")},
    "Empty": {},
}


def decoded(data: bytes, message: str) -> dict[str, Any]:
    """Whatever is not in the table above is an error: nothing is left out."""
    found: dict[str, Any] = {}
    while data:
        tag, data = varint(data)
        name, kind = FIELDS[message][tag >> 3]
        if tag & 7 == 0:
            value, data = varint(data)
            assert kind == "number", (message, name)
            found[name] = value
            continue
        assert tag & 7 == 2, (message, name)
        length, data = varint(data)
        inside, data = data[:length], data[length:]
        if kind == "text":
            found[name] = inside.decode("ascii")
        elif kind == ":":
            pair = decoded(inside, "Pair")
            found.setdefault(name, {})[pair["key"]] = pair.get("value", "")
        elif kind.startswith("+"):
            found.setdefault(name, []).append(decoded(inside, kind[1:]))
        else:
            found[name] = decoded(inside, kind)
    return found


def varint(data: bytes) -> tuple[int, bytes]:
    value = 0
    for at, byte in enumerate(data):
        value |= (byte & 127) << (7 * at)
        if byte < 128:
            return value, data[at + 1 :]
    raise ValueError("no end")


# === the story ===

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_tables", "arguments": {"query": "x"}, "_meta": META},
}


def call(run: Path, caller: str, port: int) -> None:
    body = json.dumps(CALL).encode()
    headers = {
        "host": "presto.mcp.svc.cluster.local:8080",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "list_tables",
        "authorization": "Bearer TOKEN",
        "content-length": str(len(body)),
        "connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    peer: socket.socket = socket.create_connection(("127.0.0.1", port))
    if CALLERS[caller] is not None:
        context = ssl.create_default_context(cafile=run / "cluster.local.pem")
        context.check_hostname = False  # a SPIFFE ID is in its place
        context.load_cert_chain(run / f"{caller}.pem", run / f"{caller}.key")
        peer = context.wrap_socket(peer)
    with peer:
        peer.sendall(f"POST /presto/mcp HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = peer.recv(4096)
    assert b" 403 " in answer.split(b"\r\n")[0], answer


def record(run: Path) -> None:
    recorder = Recorder()
    recorder.start()
    names = [f"{name}-{kind}" for name in MERGED for kind in ["mtls", "plain"]]
    ports = {name: free_port() for name in names} | {"toolgate": recorder.port}
    issue(run)
    (run / "envoy.json").write_text(json.dumps(bootstrap(run, ports)))
    command = [ENVOY, "-c", run / "envoy.json", "--concurrency", "1", "-l", "error"]
    envoy = subprocess.Popen([*command, "--use-dynamic-base-id"])
    try:
        for port in ports.values():
            wait_for(port)
        for name in MERGED:
            found = {}
            for caller, uri in CALLERS.items():
                before = len(recorder.asked)
                call(run, caller, ports[f"{name}-{'plain' if uri is None else 'mtls'}"])
                (asked,) = recorder.asked[before:]
                found[caller] = decoded(asked, "CheckRequest")
            (HERE / f"istio/{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    finally:
        envoy.terminate()
        envoy.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError(port)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        record(Path(directory))
