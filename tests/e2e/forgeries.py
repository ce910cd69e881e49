"""Headers that only Toolgate may set, as a client would forge them. What `mallory` says must
never reach a server."""

from raw import Header

Forgery = tuple[Header, ...]

IDENTITY = ["x-forwarded-user", "x-forwarded-groups", "x-forwarded-email"]
IDENTITY += ["x-forwarded-preferred-username"]

# Believed behind other gateways, and so never to be forwarded behind this one.
COUSINS = [
    "x-forwarded-access-token",
    "x-auth-request-user",
    "x-auth-request-groups",
    "x-auth-request-email",
    "x-auth-request-access-token",
    "x-auth-request-anything",
    "remote-user",
    "x-remote-user",
    "x-remote-groups",
]

OWN = [
    "x-toolgate-workload",
    "x-toolgate-surface",
    "x-toolgate-verified-channel",
    "x-toolgate-decision-id",
    "x-toolgate-assertion",
    "x-toolgate-list",
    "x-toolgate-user",
    "x-toolgate-c",
    "x-toolgate-channels",
    "x-toolgate-channel-id",
    "x-toolgate-",
]

ENVOYS = [
    "x-forwarded-client-cert",
    "x-envoy-auth-partial-body",
    "x-envoy-original-path",
    "x-envoy-original-host",
    "x-envoy-internal",
]

MIRRORS = ["mcp-method", "mcp-name", "mcp-param-region", "mcp-param-x"]


def _cased(name: str) -> list[str]:
    return [name, name.title(), name.upper(), name.swapcase().capitalize()]


def _once(name: str) -> Forgery:
    return ((name, "mallory"),)


# Refused by Envoy as a whole: some servers read `_` as `-`.
UNDERSCORED: list[Forgery] = [
    _once(spelling)
    for name in [*IDENTITY, "x-toolgate-surface"]
    for spelling in [
        name.replace("-", "_"),
        name.replace("-", "_", 1),
        "_".join(name.rsplit("-", 1)),
        name.title().replace("-", "_"),
    ]
]

FORGERIES: list[Forgery] = [
    *(_once(spelling) for name in IDENTITY for spelling in dict.fromkeys(_cased(name))),
    *(((name, "mallory"), (name.title(), "mallory2")) for name in IDENTITY),
    *(((name, ""),) for name in IDENTITY),
    *(((name, "mallory"), (name, "")) for name in IDENTITY),
    *(((name, b"mallory\xff"),) for name in IDENTITY),
    *((("Connection", name), (name, "mallory")) for name in IDENTITY),
    *(_once(name) for name in [*COUSINS, *OWN, *ENVOYS]),
    *(_once(name.title()) for name in [*COUSINS, *OWN, *ENVOYS]),
    (("X-Toolgate-Surface", "mallory"), ("x-toolgate-surface", "mallory2")),
    tuple((name, "mallory") for name in [*IDENTITY, *COUSINS, *OWN]),
    (("Connection", "x-forwarded-user, x-forwarded-groups, x-toolgate-workload"),),
    (("Connection", "x-toolgate-decision-id"), ("Keep-Alive", "mallory")),
]

# In the older era nothing has compared them with the body.
OLDER_FORGERIES: list[Forgery] = [
    *(_once(name) for name in MIRRORS),
    *(_once(name.title()) for name in MIRRORS),
    (("Mcp-Method", "tools/list"), ("Mcp-Name", "mallory")),
    (("Mcp-Name", "mallory"), ("Mcp-Name", "mallory2")),
]
