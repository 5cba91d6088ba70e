"""The request body and the conditions that both sides use."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def push_body() -> bytes:
    """Return the JSON of a push of six commits, about 4 KB, like that of GitHub."""
    return json.dumps(push()).encode()


def push() -> dict[str, Any]:
    commits = [_commit(n) for n in range(6)]
    return {
        "ref": "refs/heads/main",
        "before": _sha("before"),
        "after": commits[-1]["id"],
        "created": False,
        "deleted": False,
        "forced": False,
        "size": len(commits),
        "repository": {
            "id": 186853002,
            "name": "shop",
            "full_name": "example/shop",
            "private": False,
            "owner": {"name": "example", "id": 21031067, "type": "Organization"},
            "html_url": "https://forge.example/example/shop",
            "default_branch": "main",
            "topics": ["shop", "payments"],
            "open_issues_count": 12,
        },
        "pusher": {"name": "ana", "email": "ana@example.test"},
        "sender": {"login": "ana", "id": 21031067, "site_admin": False},
        "commits": commits,
        "head_commit": commits[-1],
    }


def _commit(number: int) -> dict[str, Any]:
    person = {"name": "Ana", "email": "ana@example.test", "username": "ana"}
    return {
        "id": _sha(f"commit {number}"),
        "tree_id": _sha(f"tree {number}"),
        "distinct": True,
        "message": f"Charge the card once, however often step {number} is retried",
        "timestamp": f"2026-11-02T09:{number:02}:00+01:00",
        "url": f"https://forge.example/example/shop/commit/{_sha(f'commit {number}')}",
        "author": person,
        "committer": person,
        "added": [f"payments/step_{number}.py"],
        "removed": [],
        "modified": ["payments/charge.py", "tests/payments/test_charge.py"],
    }


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


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
