"""Each tool of server-everything does the same without and with Toolgate."""

import json
import re
import subprocess
from typing import Any

import pytest

from gateway import Gateway
from installed import HERE, environment, node

CALLS: dict[str, dict[str, Any]] = {
    "echo": {"message": "hi"},
    "get-annotated-message": {"messageType": "error", "includeImage": True},
    "get-env": {},
    "get-resource-links": {"count": 3},
    "get-resource-reference": {"resourceType": "Text", "resourceId": 1},
    "get-structured-content": {"location": "Chicago"},
    "get-sum": {"a": 1.5, "b": 2},
    "get-tiny-image": {},
    "gzip-file-as-resource": {"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"},
    "toggle-simulated-logging": {},
    "toggle-subscriber-updates": {},
    "trigger-long-running-operation": {"duration": 0.2, "steps": 2},
    "get-roots-list": {},
    "trigger-elicitation-request": {},
    "trigger-url-elicitation": {"url": "https://example.com/", "elicitationId": "1"},
    "trigger-sampling-request": {"prompt": "hi", "maxTokens": 5},
    "simulate-research-query": {"topic": "mice"},
}
# What is another in every session, or at every moment.
VARYING = re.compile(r"\d{1,2}:\d\d:\d\d( [AP]M)?|[0-9a-f]{8}-[0-9a-f-]{27,}(\.[0-9a-f]+)?")


def called(running: Gateway, url: str) -> Any:
    options = json.dumps({"url": url, "calls": CALLS})
    done = subprocess.run(
        node(HERE / "clients/everything.mjs", options),
        env=environment(running.stack.run / "home"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(VARYING.sub("...", done.stdout))


@pytest.fixture(scope="module")
def without(running: Gateway) -> Any:
    return called(running, running.direct("everything"))


@pytest.fixture(scope="module")
def through(running: Gateway) -> Any:
    return called(running, running.through("everything"))


def test_the_tools_are_the_same(without: Any, through: Any) -> None:
    assert [tool["name"] for tool in without["tools"]] == list(CALLS)
    assert through["tools"] == without["tools"]


@pytest.mark.parametrize("tool", CALLS)
def test_a_tool_does_the_same(without: Any, through: Any, tool: str) -> None:
    assert through["results"][tool] == without["results"][tool]
