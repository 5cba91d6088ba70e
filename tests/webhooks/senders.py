from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from senders.signatures import verify_request

URL = "https://hooks.example/webhooks/wht_1"
NOW = 1_795_000_000
SECRET = "correct horse battery staple"  # noqa: S105 - made up for the tests
KEY = bytes(range(24))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
PUSH = (Path(__file__).parent / "fixtures" / "push__branch.json").read_bytes()


def hex_hmac(body: bytes, secret: str = SECRET, hash_name: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, hash_name).hexdigest()


def standard_headers(
    body: bytes = PUSH, *, signed_at: str = str(NOW), key: bytes = KEY
) -> dict[str, str]:
    mac = hmac.new(key, f"msg_1.{signed_at}.".encode() + body, hashlib.sha256)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": signed_at,
        "Webhook-Signature": "v1," + base64.b64encode(mac.digest()).decode(),
    }


def check(
    slug: str,
    headers: dict[str, str],
    *,
    body: bytes = PUSH,
    secrets: Sequence[str] = (SECRET,),
) -> None:
    verify_request(
        slug,
        secrets=secrets,
        method="POST",
        url=URL,
        headers=headers,
        body=body,
        now=NOW,
    )
