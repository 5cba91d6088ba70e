"""Requests of senders, signed here and not with the code that verifies them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

import senders
from senders.definitions import resolve
from senders.definitions.shipped import compact_json
from senders.parsing import DeliveryIdentity, Finder, extract_identity, parse_body
from senders.parsing.cloudevents import read_envelope
from senders.signatures import FailureReason, InvalidSignature, verify_request
from senders.signatures.verification import Fetched
from tests.senders.sender_keys import GOOGLE_KEYS, key_set

SAMPLES = Path(senders.__path__[0]) / "samples"
FIXTURES = Path(__file__).parents[1] / "webhooks" / "fixtures"
PUSH = (FIXTURES / "push__branch.json").read_bytes()

URL = "https://hooks.example/webhooks/wht_1"
NOW = 1_795_000_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

SECRET = "correct-horse-battery-staple"  # noqa: S105 - made up for the tests
KEY = bytes(range(24))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()


def mac(content: bytes, hash_name: str = "sha256", key: bytes = b"") -> bytes:
    return hmac.new(key or SECRET.encode(), content, hash_name).digest()


def hex_hmac(body: bytes, secret: str = SECRET, hash_name: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, hash_name).hexdigest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard_headers(
    body: bytes = PUSH, *, signed_at: str = str(NOW), key: bytes = KEY
) -> dict[str, str]:
    content = f"msg_1.{signed_at}.".encode() + body
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": signed_at,
        "Webhook-Signature": "v1," + b64(hmac.digest(key, content, hashlib.sha256)),
    }


def check(
    slug: str,
    headers: dict[str, str],
    *,
    body: bytes = PUSH,
    secrets: Sequence[str] = (SECRET,),
    url: str = URL,
) -> None:
    verify_request(
        slug,
        secrets=secrets,
        method="POST",
        url=url,
        headers=headers,
        body=body,
        now=NOW,
    )


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request of one sender; `now` is when it is signed, and then verified."""

    slug: str
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    url: str = URL
    secret: str = SECRET
    now: float | None = NOW

    @property
    def time(self) -> str:
        """The whole seconds of `now`, as most senders write a timestamp."""
        assert self.now is not None
        return str(int(self.now))

    @property
    def all_headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type, **self.headers}

    def plus(self, **headers: str) -> Self:
        """Return the request with these headers; names have `_` for `-`."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **added})

    def without(self, name: str) -> Self:
        assert name in self.headers
        left = {key: value for key, value in self.headers.items() if key != name}
        return replace(self, headers=left)

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def with_fields(self, **fields: object) -> Self:
        """Return the request with these members of its JSON object changed."""
        return self.but(body=compact_json(json.loads(self.body) | fields))

    def verify(self) -> None:
        verify_request(
            self.slug,
            secrets=[self.secret],
            method=self.method,
            url=self.url,
            headers=self.all_headers,
            body=self.body,
            now=self.now,
            fetched=Fetched(key_sets={GOOGLE_KEYS: key_set(self.now or 0)}),
        )


def sample(slug: str, event: str) -> Sent:
    data = json.loads((SAMPLES / slug / f"{event}.json").read_bytes())
    text = data.get("body_text")
    body = compact_json(data["body"]) if text is None else text.encode()
    return Sent(
        slug=slug,
        body=body,
        content_type=data.get("content_type", JSON),
        headers=data.get("headers", {}),
    )


def as_json(slug: str, **fields: object) -> Sent:
    return Sent(slug=slug, body=compact_json(fields))


def failure(sent: Sent) -> FailureReason:
    """Return why the signature is rejected; fail if it is accepted."""
    with pytest.raises(InvalidSignature) as raised:
        sent.verify()
    return raised.value.reason


def finder(sent: Sent, **query: str) -> Finder:
    """Return the request as the receiver reads it."""
    field_name = resolve(sent.slug).form_json_field
    parsed = parse_body(sent.body, sent.content_type, form_json_field=field_name)
    headers = {name.lower(): value for name, value in sent.all_headers.items()}
    found = Finder(headers=headers, query=query, body=parsed.value)
    return read_envelope(resolve(sent.slug).envelope, found)


def identify(sent: Sent) -> DeliveryIdentity:
    definition, now = resolve(sent.slug), sent.now or 0
    return extract_identity(definition, finder(sent), raw_body=sent.body, now=now)
