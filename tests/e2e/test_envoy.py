"""The configuration that `toolgate envoy` writes is one that Envoy takes, and that asks always."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from stack import Stack, envoy

EXT_AUTHZ = "envoy.filters.http.ext_authz"
EXT_PROC = "envoy.filters.http.ext_proc"


@pytest.mark.parametrize("options", [[], ["--plain"], ["--admin", "127.0.0.1:0"]], ids=str)
def test_envoy_accepts_what_is_rendered(stack: Stack, options: list[str]) -> None:
    text = stack.toolgate("envoy", "--config", "toolgate.yaml", "--static", *options)
    static = stack.config.with_name("static.json")
    static.write_text(text)
    command = [str(envoy()), "--mode", "validate", "--config-path", static.name]
    checked = subprocess.run(
        command, cwd=static.parent, capture_output=True, text=True, timeout=30, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert [line for line in checked.stderr.splitlines() if "deprecated" in line] == []
    config = json.loads(text)
    assert ("admin" in config) == ("--admin" in options)
    names = [listener["name"] for listener in config["static_resources"]["listeners"]]
    assert names == (["mtls", "plain"] if "--plain" in options else ["mtls"])


def test_every_route_asks_toolgate(stack: Stack) -> None:
    text = stack.toolgate("envoy", "--config", "toolgate.yaml", "--static", "--plain")
    config = json.loads(text)
    managers = list(connection_managers(config))
    assert len(managers) == 2
    for manager in managers:
        filters = [entry["name"] for entry in manager["http_filters"]]
        assert filters == [EXT_AUTHZ, EXT_PROC, "envoy.filters.http.router"]
        authz = manager["http_filters"][0]["typed_config"]
        assert authz["failure_mode_allow"] is False
        assert authz["encode_raw_headers"] is True
        assert authz["with_request_body"]["allow_partial_message"] is False
        assert "filter_enabled" not in authz and "shadow_mode" not in authz
        assert manager["http_filters"][1]["typed_config"]["failure_mode_allow"] is False
        for host in manager["route_config"]["virtual_hosts"]:
            assert not [domain for domain in host["domains"] if "*" in domain]
            assert "typed_per_filter_config" not in host
            for route in host["routes"]:
                check_route(route)


def check_route(route: dict[str, Any]) -> None:
    path = route["match"]["path"]
    per_filter = route["typed_per_filter_config"]
    assert list(per_filter) == [EXT_AUTHZ, EXT_PROC]
    if route["name"].endswith("/answers"):
        assert list(route["match"]) == ["path", "headers"], "a route serves one path"
        assert [header["name"] for header in route["match"]["headers"]] == ["x-toolgate-answer"]
        mode = per_filter[EXT_PROC]["overrides"]["processing_mode"]
        assert mode["response_header_mode"] == "SEND", "what stands on it is seen"
        assert mode["response_body_mode"] == "STREAMED"
    else:
        assert list(route["match"]) == ["path"], "a route serves one path"
        assert per_filter[EXT_PROC]["disabled"] is True
    settings = per_filter[EXT_AUTHZ]
    assert "disabled" not in settings
    context = settings["check_settings"]["context_extensions"]
    assert (context["toolgate.path"], context["toolgate.answers"]) == (path, "1")
    server, _, environment = context["toolgate.server"].partition("@")
    assert server and environment and context["toolgate.route"]
    assert "disable_request_body_buffering" not in settings["check_settings"]


def test_the_routes_that_envoy_runs_on_are_the_static_ones(stack: Stack) -> None:
    text = stack.toolgate("envoy", "--config", "toolgate.yaml", "--static", "--plain")
    (first, second) = connection_managers(json.loads(text))
    (running,) = json.loads(stack.config.with_name("routes.json").read_text())["resources"]
    running.pop("@type")
    assert running == first["route_config"] == second["route_config"]


def connection_managers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for listener in config["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for entry in chain["filters"]:
                yield entry["typed_config"]
