"""Where clients learn how to sign in (RFC 9728), without signing in."""

import pytest

from story import LAPTOP
from wire import Wire

PREFIX = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("path", ["/presto/mcp", "/presto@staging/mcp", "/lab/mcp"])
@pytest.mark.parametrize("place", ["ai-chat", "stranger", LAPTOP])
def test_anybody_may_read_the_metadata(wire: Wire, path: str, place: str) -> None:
    before = wire.stack.mark()
    answer = wire.send(PREFIX + path, None, method="GET", person=None, place=place)
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.json() == {
        "resource": f"https://mcp.example.com{path}",
        "authorization_servers": ["https://login.example.com"],
        "bearer_methods_supported": ["header"],
    }
    assert wire.stack.records(before) == []


def test_the_challenge_leads_to_the_metadata(wire: Wire) -> None:
    answer = wire.send("/presto@staging/mcp", None, method="GET", person=None, place="ide")
    assert answer.status == 401
    challenge = answer.header("www-authenticate") or ""
    url = challenge.partition('resource_metadata="')[2].rstrip('"')
    path = url.removeprefix("https://mcp.example.com")
    found = wire.send(path, None, method="GET", person=None, place="ide").json()
    assert found["resource"] == "https://mcp.example.com/presto@staging/mcp"
