from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from tests.docs.pages import DOCS, only_block
from tests.webhooks.received import URL
from webhooks.rejections.fixes import FIXES


@pytest.mark.django_db
def test_the_redelivery_of_the_page_is_accepted(api: APIClient) -> None:
    answer = api.post(f"{URL}/redeliver", json.loads(only_block("json redeliver")))

    assert answer.status_code == 202, answer.content
    assert answer.json()["count"] == 0


def test_every_cause_is_listed() -> None:
    page = (DOCS / "deliveries.md").read_text()

    assert [cause for cause in FIXES if f"`{cause}`" not in page] == []
