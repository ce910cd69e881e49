"""Requests that must not reach a server, each good but for one thing, and what they get."""

from bad import bodies, callers, modern, names, targets
from bad.row import Bad

BAD_REQUESTS: list[Bad] = [
    *targets.TARGETS,
    *targets.METHODS,
    *bodies.NOT_STRICT_JSON,
    *bodies.NOT_A_MESSAGE_AT_ALL,
    *bodies.BODIES,
    *names.CALLS,
    *names.NAMES,
    *callers.ORIGINS,
    *callers.PLACES,
    *modern.MODERN_ERA,
]
