"""Each sender's signature, and one refusal for each thing that it vouches for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from senders.definitions import get_shipped, shipped_slugs
from senders.signatures import InvalidSignature
from tests.senders.signed_requests import COVERED, Request, signed_requests

REQUESTS = list(signed_requests())


def name_of(request: Request) -> str:
    return f"{request.slug}-{'-'.join(request.headers)}"


def changes(request: Request) -> Iterator[tuple[str, Request]]:
    """Yield the request with one thing changed that its sender vouches for."""
    yield "secret", replace(request, secret=_other_secret(request.secret))
    covered = COVERED[request.slug]
    for name in [*request.headers]:
        if name.lower() == "content-type":
            continue
        yield f"without {name}", replace(request, headers=_without(request, name))
        changed = {**request.headers, name: _changed(request.headers[name])}
        yield name, replace(request, headers=changed)
    if covered.body and covered.signature is not None:
        yield "body", replace(request, body=_changed_body(request))
    if covered.url:
        yield "url", replace(request, url=request.url.replace("wht_1", "wht_2"))
        yield "query", replace(request, url=request.url + "&x=1")
    if covered.method:
        yield "method", replace(request, method="PUT")


def _without(request: Request, name: str) -> dict[str, str]:
    return {key: value for key, value in request.headers.items() if key != name}


def _changed(value: str) -> str:
    """Return the text with its last significant character replaced."""
    place = len(value.rstrip("=")) - 3
    other = "0" if value[place] != "0" else "1"
    return value[:place] + other + value[place + 1 :]


def _other_secret(secret: str) -> str:
    return _changed(secret) if secret[:5] in ("whsec", "whpk_") else "another"


def _changed_body(request: Request) -> bytes:
    is_form = request.slug == "twilio" and b"&" in request.body
    return request.body + (b"&x=1" if is_form else b" ")


CHANGES = [
    pytest.param(changed, id=f"{name_of(request)}: {what}")
    for request in REQUESTS
    for what, changed in changes(request)
]


def test_each_type_that_signs_has_its_request() -> None:
    signing = [
        slug
        for slug in shipped_slugs()
        if (found := get_shipped(slug)) and found.signature is not None
    ]

    assert {request.slug for request in REQUESTS} >= set(signing)


@pytest.mark.parametrize("request_", REQUESTS, ids=name_of)
def test_what_the_sender_signs_verifies(request_: Request) -> None:
    request_.verify()


@pytest.mark.parametrize("changed", CHANGES)
def test_a_change_of_what_is_vouched_for_is_refused(changed: Request) -> None:
    with pytest.raises(InvalidSignature):
        changed.verify()


@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
def test_a_changed_field_of_mailgun_is_refused(name: str) -> None:
    [request, _] = [one for one in REQUESTS if one.slug == "mailgun"]
    fields = json.loads(request.body)["signature"]
    fields[name] = _changed(fields[name])

    with pytest.raises(InvalidSignature):
        replace(request, body=json.dumps({"signature": fields}).encode()).verify()


@pytest.mark.parametrize("encoding", ["form", "json"])
def test_a_body_that_is_no_form_needs_its_hash_in_the_url(encoding: str) -> None:
    form, posted = [one for one in REQUESTS if one.slug == "twilio"]
    request = form if encoding == "form" else posted
    headers = {**request.headers, "Content-Type": "text/plain"}

    changed = replace(request, headers=headers, body=b"anything")

    with pytest.raises(InvalidSignature):
        changed.verify()


def test_a_discord_key_may_not_be_in_another_form() -> None:
    [request] = [one for one in REQUESTS if one.slug == "discord"]
    raw = bytes.fromhex(request.secret)

    with pytest.raises(InvalidSignature):
        replace(request, secret=base64.b64encode(raw).decode()).verify()
