"""Origins and places that do not reach."""

from bad.row import Bad, tool
from raw import Header
from story import LAPTOP


def _origin(name: str, *values: str) -> Bad:
    return Bad(f"origin {name}", 403, "surface", headers=tuple(("Origin", v) for v in values))


ORIGINS = [
    _origin("of another site", "https://evil.example.com"),
    _origin("null", "null"),
    _origin("empty", ""),
    _origin("by http", "http://chat.example.com"),
    _origin("with a slash", "https://chat.example.com/"),
    _origin("with a port", "https://chat.example.com:8443"),
    _origin("in capitals", "HTTPS://CHAT.EXAMPLE.COM"),
    _origin("that only starts like ours", "https://chat.example.com.evil.example"),
    _origin("that only ends like ours", "https://evilchat.example.com"),
    _origin("twice", "https://chat.example.com", "https://chat.example.com"),
    _origin("ours and another", "https://chat.example.com", "https://evil.example.com"),
]


_LIST = tool("list_applications")
_XFCC: Header = (
    "X-Forwarded-Client-Cert",
    "URI=spiffe://prod.example.com/ns/ai-chat/sa/webapp",
)


def _spark(name: str, *channels: Header, place: str = "chat-bot", malformed: bool = False) -> Bad:
    """Only the support channel of the chat bot may ask there."""
    answer = (400, "malformed") if malformed else (403, "no_grant")
    return Bad(name, *answer, target="/spark/mcp", body=_LIST, place=place, headers=channels)


PLACES = [
    Bad("no token", 401, "unauthenticated", person=None),
    Bad(
        "a service of other servers",
        401,
        "unauthenticated",
        target="/airflow/mcp",
        person=None,
        place="nightly",
    ),
    Bad(
        "a service where it does not reach",
        403,
        "surface",
        target="/presto@staging/mcp",
        person=None,
        place="nightly",
    ),
    Bad("a person from a service's workload", 403, "no_grant", place="nightly"),
    Bad("an unknown workload", 403, "surface", place="stranger"),
    Bad("an unknown workload, no token", 401, "unauthenticated", person=None, place="stranger"),
    Bad("a certificate with two identities", 403, "workload_invalid", place="two-ids"),
    Bad("two identities and no token", 401, "unauthenticated", person=None, place="two-ids"),
    Bad("no certificate", 403, "surface", place=LAPTOP),
    Bad("no certificate, but the header of one", 403, "surface", place=LAPTOP, headers=(_XFCC,)),
    Bad("a dev server from production", 403, "surface", target="/lab/mcp", person="erin"),
    Bad("staging from the chat", 403, "surface", target="/presto@staging/mcp"),
    Bad("a server without a grant", 403, "no_grant", target="/spark/mcp", body=_LIST),
    _spark("no channel"),
    _spark("another channel", ("X-Toolgate-Channel", "C04AIRFLOW1")),
    _spark("a channel by its name", ("X-Toolgate-Channel", "spark-support")),
    _spark("a channel in small letters", ("X-Toolgate-Channel", "c07spark1")),
    _spark("channels in a row", ("X-Toolgate-Channel", "C04AIRFLOW1, C07SPARK1"), malformed=True),
    _spark("a verified channel, says the client", ("X-Toolgate-Verified-Channel", "spark-support")),
    _spark("a channel, says the chat", ("X-Toolgate-Channel", "C07SPARK1"), place="ai-chat"),
    _spark("an empty channel", ("X-Toolgate-Channel", ""), malformed=True),
    _spark("two channels", *[("X-Toolgate-Channel", "C07SPARK1")] * 2, malformed=True),
    _spark("a channel that is no text", ("X-Toolgate-Channel", b"C07SPARK1\xff"), malformed=True),
]
