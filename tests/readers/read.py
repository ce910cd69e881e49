"""How Python reads a message: json, and pydantic as the MCP SDK uses it. One line in, two out."""

import base64
import json
import math
import sys
from typing import Any

from pydantic_core import from_json

# What has a target, and where.
NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
    "tasks/get": "taskId",
    "tasks/cancel": "taskId",
}


def text(value: Any) -> Any:
    """As text that every reader writes alike: numbers as the nearest double."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        return number if math.isfinite(number) else f"\0{number}"
    if isinstance(value, list):
        return [text(item) for item in value]
    return {key: text(item) for key, item in value.items()}


def read(message: Any) -> Any:
    if not isinstance(message, dict):
        return None
    method, params = message.get("method"), message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        return None
    target = None
    if method in NAMED:
        target = params.get(NAMED[method])
    elif method == "completion/complete":
        reference = params.get("ref", {})
        if isinstance(reference, dict):
            target = reference.get("name", reference.get("uri"))
    elif method == "subscriptions/listen":
        wanted = params.get("notifications", {})
        target = wanted.get("resourceSubscriptions", []) if isinstance(wanted, dict) else None
    arguments = params.get("arguments", {}) if method == "tools/call" else None
    return {"method": method, "target": target, "arguments": text(arguments)}


def main() -> None:
    for line in sys.stdin:
        body = base64.b64decode(line)
        for parse in (json.loads, from_json):
            try:
                said = json.dumps(read(parse(body)))
            except (ValueError, RecursionError):
                said = "null"
            print(said)


if __name__ == "__main__":
    main()
