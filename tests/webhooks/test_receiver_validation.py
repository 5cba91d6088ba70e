from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import RequestFactory

from senders.definitions import resolve
from senders.sandbox import SandboxUnavailable
from senders.sandbox.limits import exclusive_run
from webhooks.models import WebhookEndpoint
from webhooks.receiver.checks import ValidationRefused, check_validation_code
from webhooks.receiver.request import open_request, parse_content, read_body

COMPARES_KEYS = (
    "def validate_shop(headers, body, webhook_config):\n"
    "    return headers['x-key'] == webhook_config['key'] and body['ok']"
)


def check(
    code: str = COMPARES_KEYS,
    *,
    key: str = "k",
    endpoint_id: UUID | None = None,
    is_verified: bool = True,
    **fields: Any,
) -> bool:
    """Run the check on a verified request."""
    definition = replace(
        resolve("generic"),
        **{"validation_code": code, "validation_required": True, **fields},
    )
    request = open_request(
        RequestFactory().post(
            "/", {"ok": True}, content_type="application/json", headers={"X-Key": key}
        ),
        endpoint=WebhookEndpoint(id=endpoint_id or uuid4(), config={"key": "k"}),
        definition=definition,
        url="",
    )
    request.body = read_body(request)
    request.content = parse_content(request)
    request.is_verified = is_verified
    return check_validation_code(request)


@pytest.mark.usefixtures("_ample_time_for_code")
def test_a_delivery_that_the_code_accepts_passes() -> None:
    assert check() is True


@pytest.mark.parametrize(
    "fields", [{"validation_required": False}, {"validation_code": ""}]
)
def test_without_required_code_nothing_is_validated(
    fields: dict[str, Any],
) -> None:
    assert check(key="wrong", **fields) is False


def test_the_code_does_not_run_for_an_unverified_sender() -> None:
    assert check(key="wrong", is_verified=False) is False


@pytest.mark.parametrize(
    "code",
    [
        COMPARES_KEYS,
        "def validate(body): return body['missing']",
        "def validate(body): return 'yes'",
        "def validate(body):\n    while True: pass",
        "no code at all",
    ],
)
def test_a_delivery_that_is_not_accepted_is_refused(code: str) -> None:
    with pytest.raises(ValidationRefused) as refused:
        check(code, key="wrong")

    assert (refused.value.code, refused.value.http_status) == (
        "validation_refused",
        400,
    )
    assert refused.value.detail == (
        "The validation code of this webhook's type does not accept the request."
    )


@pytest.mark.usefixtures("_ample_time_for_code")
def test_a_second_delivery_to_a_busy_endpoint_gets_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("senders.sandbox.limits.MAX_WAIT_SECONDS", 0.01)
    endpoint_id = uuid4()

    with exclusive_run(endpoint_id):
        with pytest.raises(SandboxUnavailable) as refused:
            check(endpoint_id=endpoint_id)
        assert check() is True

    assert (refused.value.code, refused.value.http_status) == (
        "sandbox_unavailable",
        503,
    )
    assert check(endpoint_id=endpoint_id) is True
