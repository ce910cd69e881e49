"""One Envoy with a listener for each way to decide, before the same upstream."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_stand import policies
from edge_stand.material import AUDIENCE

Json = dict[str, Any]

ROUTER: Json = {
    "name": "envoy.filters.http.router",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    },
}
EXT_AUTHZ = "envoy.filters.http.ext_authz"


def bootstrap(
    rendered: Path, ports: Mapping[str, int], targets: Mapping[str, str], upstream: int, jwks: Json
) -> Json:
    """A configuration made of what `toolgate envoy` rendered, with a listener at each port of
    `ports` and an authorizer's cluster for each of `targets`."""
    config: Json = json.loads((rendered / "envoy.json").read_text())
    resources = config["static_resources"]
    (plain,) = (entry for entry in resources["listeners"] if entry["name"] == "plain")
    # A log line for each request is a choice of whoever runs it.
    manager(plain).pop("access_log", None)
    makers = {
        "plain": lambda: simple([]),
        "plain, hardened": lambda: hardened(plain),
        "jwt_authn + rbac": lambda: simple([jwt_authn(jwks, cached=False), rbac()]),
        "jwt_authn (cache) + rbac": lambda: simple([jwt_authn(jwks, cached=True), rbac()]),
        "ok": lambda: simple([asks(filter_of(plain), "ok")]),
        "ok, hardened": lambda: asking(plain, "ok-hardened"),
        "toolgate": lambda: plain,
        "toolgate cold": lambda: asking(plain, "toolgate-cold"),
        "opa": lambda: simple([asks(by_default(), "opa")]),
    }
    resources["listeners"] = [
        listening(copy.deepcopy(makers[name]()), name, port) for name, port in ports.items()
    ]
    (known,) = (entry for entry in resources["clusters"] if entry["name"] == "toolgate")
    resources["clusters"] = [known, cluster("upstream", f"127.0.0.1:{upstream}", http2=False)]
    # Toolgate's own is as it was rendered.
    resources["clusters"] += [
        cluster(name, target, http2=True) for name, target in targets.items() if name != "toolgate"
    ]
    return config


def manager(listener: Json) -> Json:
    """Its HTTP connection manager."""
    found: Json = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def filter_of(listener: Json) -> Json:
    filters = manager(listener)["http_filters"]
    found: Json = next(entry for entry in filters if entry["name"] == EXT_AUTHZ)
    return copy.deepcopy(found)


def asks(authorization: Json, cluster_name: str) -> Json:
    service = authorization["typed_config"]["grpc_service"]["envoy_grpc"]
    service["cluster_name"] = cluster_name
    return authorization


def asking(listener: Json, cluster_name: str) -> Json:
    changed = copy.deepcopy(listener)
    for entry in manager(changed)["http_filters"]:
        if entry["name"] == EXT_AUTHZ:
            asks(entry, cluster_name)
    return changed


def by_default() -> Json:
    """External authorization as documented for OPA: headers and body as text."""
    return {
        "name": EXT_AUTHZ,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "opa"}, "timeout": "2s"},
            "failure_mode_allow": False,
            "with_request_body": {"max_request_bytes": 1048576, "allow_partial_message": False},
        },
    }


def hardened(listener: Json) -> Json:
    """What Toolgate renders around its filters, without them: what Envoy itself costs so."""
    changed = copy.deepcopy(listener)
    found = manager(changed)
    found["http_filters"] = [ROUTER]
    found.pop("rds")
    found["route_config"] = routes()
    return changed


def simple(filters: list[Json]) -> Json:
    """Nothing but these filters."""
    typed = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": routes(),
        "http_filters": [*filters, ROUTER],
    }
    name = "envoy.filters.network.http_connection_manager"
    return {"filter_chains": [{"filters": [{"name": name, "typed_config": typed}]}]}


def routes() -> Json:
    route = {"cluster": "upstream", "prefix_rewrite": "/mcp", "timeout": "0s"}
    path = f"/{policies.SERVER}/mcp"
    host = {"name": "bench", "domains": ["*"], "routes": [{"match": {"path": path}, "route": route}]}
    return {"name": "bench", "virtual_hosts": [host]}


def listening(listener: Json, name: str, port: int) -> Json:
    listener["name"] = name
    listener["address"] = address(f"127.0.0.1:{port}")
    return listener


def address(target: str) -> Json:
    if target.startswith("unix:"):
        return {"pipe": {"path": target.removeprefix("unix:")}}
    host, port = target.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


def cluster(name: str, target: str, *, http2: bool) -> Json:
    endpoint = {"endpoint": {"address": address(target)}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    found = {"name": name, "type": "STATIC", "load_assignment": assignment}
    if http2:
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        options = {
            "@type": f"type.googleapis.com/{kind}",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        found["typed_extension_protocol_options"] = {kind: options}
    return found


def jwt_authn(jwks: Json, *, cached: bool) -> Json:
    provider: Json = {
        "issuer": "https://login.example.com",
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(jwks)},
        "payload_in_metadata": "claims",
    }
    if cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": 100}
    kind = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
    rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}
    typed = {"@type": kind, "providers": {"corp": provider}, "rules": [rule]}
    return {"name": "envoy.filters.http.jwt_authn", "typed_config": typed}


def rbac() -> Json:
    """One tool by its header, which nothing compares with the body, and groups by the token."""
    tool = {"name": "mcp-name", "string_match": {"exact": policies.TOOL}}
    path = {"path": {"exact": f"/{policies.SERVER}/mcp"}}
    groups = [policies.group(2), policies.group(114)]
    principals = [
        {
            "sourced_metadata": {
                "metadata_matcher": {
                    "filter": "envoy.filters.http.jwt_authn",
                    "path": [{"key": "claims"}, {"key": "groups"}],
                    "value": {"list_match": {"one_of": {"string_match": {"exact": group}}}},
                }
            }
        }
        for group in groups
    ]
    both = {"and_rules": {"rules": [{"url_path": path}, {"header": tool}]}}
    policy = {"permissions": [both], "principals": principals}
    typed = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {"query": policy}},
    }
    return {"name": "envoy.filters.http.rbac", "typed_config": typed}
