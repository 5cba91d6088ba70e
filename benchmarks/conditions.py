"""What the triggers of both sides ask, and what came with the body."""

from __future__ import annotations

Rule = dict[str, object]

HOLDS: Rule = {
    "field": "repository.full_name",
    "operator": "eq",
    "value": "example/shop",
}
HOLDS_NOT: Rule = {"field": "size", "operator": "gt", "value": 20}

REQUEST_HEADERS = {
    "host": "127.0.0.1",
    "user-agent": "forge-hookshot/1",
    "accept": "*/*",
    "content-type": "application/json",
    "content-length": "4831",
}
