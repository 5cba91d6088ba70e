from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import make_trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"


def test_the_list_is_paginated_newest_first(api: APIClient) -> None:
    triggers = [make_trigger() for _ in range(3)]

    page = api.get(URL, {"page_size": 2}).json()

    assert [t["id"] for t in page.pop("results")] == [
        str(triggers[2].id),
        str(triggers[1].id),
    ]
    assert page == {
        "total_count": 3,
        "total": 3,
        "page": 1,
        "page_size": 2,
        "has_next": True,
        "has_previous": False,
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"trigger_type": "EVENT"}, 1),
        ({"trigger_type": "schedule"}, 0),
        ({"is_active": "false"}, 1),
        ({"is_active": "True"}, 2),
        ({"name": "ORD"}, 1),
        ({"subject": "acme"}, 1),
    ],
)  # R223
def test_the_list_is_filtered(
    api: APIClient, query: dict[str, str], count: int
) -> None:
    make_trigger(name="orders", subject="acme")
    make_trigger(trigger_type="event", event_types=["invoice.*"])
    make_trigger(is_active=False)

    page = api.get(URL, query).json()

    assert page["total_count"] == count


def test_the_list_is_filtered_by_agent(api: APIClient) -> None:
    trigger = make_trigger()
    make_trigger()

    page = api.get(URL, {"agent_id": str(trigger.agent_id)}).json()

    assert [t["id"] for t in page["results"]] == [str(trigger.id)]


def test_a_list_makes_the_same_queries_for_any_length(
    api: APIClient, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        make_trigger(trigger_type="webhook")
        make_trigger(trigger_type="event", event_types=["invoice.*", "quote.*"])

    with django_assert_num_queries(5):
        page = api.get(URL).json()

    assert page["total_count"] == 10
