"""OPA's Envoy plugin with a policy that checks what Toolgate checks."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from edge_stand import policies
from edge_stand.material import PATH, Material
from workspace import REPOSITORY

VERSION = "1.7.1"

LEFT_OUT = "only the full form compares with it"


def program() -> tuple[Path, str]:
    """Where it is, and why it is not there."""
    cache = (REPOSITORY / os.environ.get("TOOLGATE_CACHE", ".cache")).resolve()
    into = cache / f"opa-{VERSION}"
    bootstrap = REPOSITORY / "tests/bench/opa/bootstrap"
    done = subprocess.run([bootstrap, into], stderr=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    why = lines[-1].removeprefix("error: ") if lines else f"status {done.returncode}"
    return into / "opa-envoy-plugin", "" if done.returncode == 0 else why


def data(material: Material, servers: int) -> dict[str, Any]:
    """The same grants as in the policy directory; for each path."""
    tools = {
        "list_things": {"accepts": [], "between": {}, "max_length": {}},
        "query_things": {
            "accepts": ["sql", "limit"],
            "between": {"limit": [1, 10000]},
            "max_length": {"sql": 20000},
        },
        "update_things": {"accepts": [], "between": {}, "max_length": {}},
    }

    def grants(index: int) -> list[dict[str, Any]]:
        return [
            {
                "people": [
                    policies.group(index + number + 1),
                    policies.group(index * 7 + number * 13 + 101),
                ],
                "via": via.split(", "),
                "call": call.split(", "),
            }
            for number, (call, via) in enumerate(policies.GRANTS)
        ]

    paths = {
        PATH.replace("-0", f"-{index}"): {"tools": tools, "grants": grants(index)}
        for index in range(servers)
    }
    bench = {
        "jwks": json.dumps(material.rs256()),
        "issuer": "https://login.example.com",
        "audience": "https://mcp.example.com",
        "places": {policies.CHAT: "ai-chat", "": "desk"},
        "servers": paths,
    }
    return {"bench": bench}


def config(*, cached: bool) -> dict[str, Any]:
    """`cached`: verified tokens are kept, which OPA does not do unless it is told to."""
    found: dict[str, Any] = {
        "plugins": {"envoy_ext_authz_grpc": {"path": "toolgate/bench/allow"}},
        "decision_logs": {"console": False},
    }
    if cached:
        named = {"io_jwt": {"max_num_entries": 1000}}
        found["caching"] = {"inter_query_builtin_value_cache": {"named": named}}
    return found
