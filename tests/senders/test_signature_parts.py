"""Timestamps in ISO 8601, and signed parts that a request may not have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from senders.definitions import InvalidDefinition, load_definition
from senders.errors import FailureReason, InvalidSignature
from senders.signatures import RawRequest, sign, verify
from tests.senders.requests import NOW, PUSH, SECRET, b64, mac
from tests.senders.schemes import check_scheme, reason_of, scheme_of

AT = datetime.fromtimestamp(NOW, UTC)
# Zendesk: https://developer.zendesk.com/documentation/webhooks/verifying/
ZENDESK = scheme_of(
    kind="hmac",
    signed="{timestamp}{body}",
    encodings=["base64"],
    read_from={"headers": ["X-Zendesk-Webhook-Signature"]},
    timestamp={
        "read_from": {"headers": ["X-Zendesk-Webhook-Signature-Timestamp"]},
        "unit": "iso8601",
    },
)
# Adyen: https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures
ITEM = "/notificationItems/0/NotificationRequestItem"
ADYEN = scheme_of(
    kind="hmac",
    encodings=["base64"],
    secret={"encoding": "hex"},
    read_from={"body": f"{ITEM}/additionalData/hmacSignature"},
    signed=":".join(
        f"{{json?:{ITEM}/{name}}}"
        for name in ("pspReference", "originalReference", "merchantAccountCode",
                     "merchantReference", "amount/value", "amount/currency")
    ) + f":{{json:{ITEM}/eventCode}}:{{json:{ITEM}/success}}",
)  # fmt: skip
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
# The example that Adyen publishes; it has no originalReference.
PAYMENT: dict[str, Any] = {
    "pspReference": "7914073381342284",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
    "additionalData": {"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},
}


def headers_at(time: str) -> dict[str, str]:
    return {
        "X-Zendesk-Webhook-Signature": b64(mac(time.encode() + PUSH)),
        "X-Zendesk-Webhook-Signature-Timestamp": time,
    }


@pytest.mark.parametrize(
    "time",
    [
        AT.strftime("%Y-%m-%dT%H:%M:%SZ"),
        AT.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
        AT.isoformat(),
        datetime.fromtimestamp(NOW - 299, UTC).isoformat(),
    ],
)
def test_a_timestamp_can_be_iso_8601(time: str) -> None:
    check_scheme(ZENDESK, headers_at(time))


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (str(NOW), FailureReason.MALFORMED_HEADER),
        (AT.strftime("%Y-%m-%dT%H:%M:%S"), FailureReason.MALFORMED_HEADER),
        (AT.strftime("%Y-%m-%d"), FailureReason.MALFORMED_HEADER),
        (AT.strftime("%Y-%m-%d %H:%M:%SZ"), FailureReason.MALFORMED_HEADER),
        ("2026-13-01T00:00:00Z", FailureReason.MALFORMED_HEADER),
        ("0001-01-01T00:00:00+14:00", FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE),
        ("9999-12-31T23:59:59-14:00", FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE),
        (
            datetime.fromtimestamp(NOW - 301, UTC).isoformat(),
            FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE,
        ),
    ],
)
def test_another_text_or_time_is_rejected(time: str, reason: FailureReason) -> None:
    assert reason_of(ZENDESK, headers_at(time)) is reason


def test_a_sample_has_an_iso_timestamp() -> None:
    request = RawRequest.of(method="POST", url="", headers={}, body=PUSH)

    signed = sign(ZENDESK, request, secret=SECRET, now=NOW)

    assert signed.headers["X-Zendesk-Webhook-Signature-Timestamp"].endswith("Z")
    check_scheme(ZENDESK, signed.headers)


def check_adyen(item: dict[str, Any]) -> None:
    body = {"notificationItems": [{"NotificationRequestItem": item}]}
    verify(
        ADYEN,
        secrets=[KEY],
        method="POST",
        url="",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        now=None,
    )


def test_the_example_of_adyen_is_verified() -> None:
    check_adyen(PAYMENT)


@pytest.mark.parametrize("value", ["", None])
def test_an_optional_field_can_be_empty(value: str | None) -> None:
    check_adyen({**PAYMENT, "originalReference": value})


@pytest.mark.parametrize("value", ["x", 0, False, {}, [], {"a": 1}])
def test_an_optional_field_cannot_be_added(value: Any) -> None:
    with pytest.raises(InvalidSignature):
        check_adyen({**PAYMENT, "originalReference": value})


def test_another_field_of_adyen_cannot_be_removed() -> None:
    with pytest.raises(InvalidSignature):
        check_adyen({name: PAYMENT[name] for name in PAYMENT if name != "eventCode"})


def test_an_optional_header_can_be_missing_but_not_added() -> None:
    scheme = scheme_of(
        kind="hmac",
        signed="{header?:X-Id}.{body}",
        read_from={"headers": ["X-Signature"]},
    )
    without = {"X-Signature": mac(b"." + PUSH).hex()}

    check_scheme(scheme, without)
    assert reason_of(scheme, {**without, "X-Id": "1"}) is FailureReason.NO_MATCH


@pytest.mark.parametrize(
    "signature",
    [
        {"signed": "{json?:/id}", "read_from": {"body": "/signature"}},
        {"signed": "{body?}{body}", "read_from": {"headers": ["X"]}},
        {"signed": "{jsonx:/id}{body}", "read_from": {"headers": ["X"]}},
    ],
)
def test_a_signature_needs_a_part_that_is_always_there(
    signature: dict[str, Any],
) -> None:
    document = {"slug": "a", "name": "A", "signature": {"kind": "hmac", **signature}}

    with pytest.raises(InvalidDefinition):
        load_definition(document)
