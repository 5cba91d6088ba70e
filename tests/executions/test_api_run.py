from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from common.redis import ask_redis
from events.models import Event
from executions.models import ExecutionStatus, TriggerExecution
from tests.factories import make_trigger, record

pytestmark = pytest.mark.django_db


def test_a_run_is_an_event_that_names_the_trigger(api: APIClient) -> None:
    trigger = make_trigger(is_active=False)

    response = api.post(
        f"/api/v1/triggers/{trigger.pk}/run", {"payload": {"a": 1}}, format="json"
    )

    assert response.status_code == 202
    event = Event.objects.get()
    assert response.json() == {
        "event_id": str(event.pk),
        "status_url": f"http://testserver/api/v1/events/{event.pk}",
    }
    assert event.trigger_id == trigger.pk
    assert bytes(event.body) == b'{"a":1}'
    assert api.get(response.json()["status_url"]).status_code == 200


def test_a_run_needs_no_body(api: APIClient) -> None:
    response = api.post(f"/api/v1/triggers/{make_trigger().pk}/run")

    assert response.status_code == 202


def test_a_run_over_the_hourly_limit_is_429(api: APIClient) -> None:  # R258
    trigger = make_trigger(max_executions_per_hour=1)
    event = record()
    TriggerExecution.objects.create(
        trigger=trigger,
        event=event,
        status=ExecutionStatus.SUCCESS,
        executed_at=timezone.now(),
        trigger_version=1,
    )

    response = api.post(f"/api/v1/triggers/{trigger.pk}/run")

    assert response.status_code == 429
    assert 3590 <= int(response["Retry-After"]) <= 3600
    assert response.json()["error_code"] == "hourly_limit_reached"
    assert Event.objects.values_list("pk", flat=True).get() == event.pk


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"payload": []}, "/payload"),
        ({"parameters": 3}, "/parameters"),
        ({"skip_conditions": "perhaps"}, "/skip_conditions"),
        ({"skip": True}, "/skip"),
    ],
)
def test_an_invalid_run_is_rejected(
    api: APIClient, body: dict[str, Any], pointer: str
) -> None:
    response = api.post(f"/api/v1/triggers/{make_trigger().pk}/run", body)

    assert response.status_code == 400
    assert [f["pointer"] for f in response.json()["errors"]] == [pointer]
    assert not Event.objects.exists()
    assert ask_redis(lambda redis: redis.dbsize(), otherwise=-1) == 0


def test_a_run_of_an_unknown_trigger_is_404(api: APIClient) -> None:
    response = api.post(f"/api/v1/triggers/{UUID(int=0)}/run")

    assert response.status_code == 404
    assert response.json()["error_code"] == "trigger_not_found"
