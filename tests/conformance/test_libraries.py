"""A refusal reaches each client library as an error of its own, and its connection lives on."""

import pytest

from gateway import Gateway
from libraries import LIBRARIES, Library

MODERN = "2026-07-28"
EACH = pytest.mark.parametrize("library", LIBRARIES, ids=str)


@EACH
def test_a_refusal_is_an_error_of_the_library(running: Gateway, library: Library) -> None:
    url = running.through("fixture", "own")
    with library.connected(url, running.reader()) as client:
        assert client.greeting["kind"] == "connected", client.greeting
        assert (client.greeting["version"] == MODERN) == (library.era == "modern")
        before = client.call("test_simple_text")
        refused = client.call("test_image_content")
        after = client.call("test_simple_text")
    assert before["kind"] == "result" and "simple text" in before["text"], before
    assert after == before
    assert (refused["kind"], refused["type"], refused["code"]) == ("error", library.error, 403)
    assert refused["data"]["reason"] == "no_grant"
    decision = running.stack.decision(refused["data"]["decision_id"])
    assert (decision["verdict"], decision["reason"]) == ("refuse", "no_grant")


@EACH
def test_a_refusal_can_be_a_result_of_the_tool(running: Gateway, library: Library) -> None:
    url = running.through("results", "own")
    with library.connected(url, running.reader()) as client:
        before = client.call("test_simple_text")
        refused = client.call("test_image_content")
        after = client.call("test_simple_text")
    assert before["kind"] == "result" and after == before
    assert refused["kind"] == "tool_error" and "no_grant" in refused["text"], refused


@EACH
def test_with_a_bad_token_nothing_is_answered(running: Gateway, library: Library) -> None:
    url = running.through("fixture", "own")
    with library.connected(url, "not-a-token") as client:
        # A modern client need not ask anything before its first call.
        first = client.greeting
        answer = client.call("test_simple_text") if first["kind"] == "connected" else first
    assert answer["kind"] == "error", answer
