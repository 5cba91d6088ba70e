from __future__ import annotations

import pytest
from django.test import Client

from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.receiver import reception
from webhooks.receiver.request import Delivery

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("variable", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("/webhooks/%41?b=%2f+c", "http://testserver/webhooks/%41?b=%2f+c"),
        ("http://other.test/webhooks/x", "http://testserver{path}?b=c%20d"),
        ("", "http://testserver{path}?b=c%20d"),
    ],
)
def test_the_url_that_is_signed_is_the_one_that_was_sent(
    monkeypatch: pytest.MonkeyPatch, variable: str, told: str, expected: str
) -> None:
    path = f"/webhooks/{create_endpoint().endpoint.webhook_id}"
    seen: list[Delivery] = []
    monkeypatch.setattr(reception, "GATES", (seen.append,))

    client = Client()
    client.defaults[variable] = told
    client.post(f"{path}?b=c%20d", {})

    assert [delivery.url for delivery in seen] == [expected.format(path=path)]
