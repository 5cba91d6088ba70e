from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.factories import make_trigger
from triggers.models import Overlap, Trigger

pytestmark = pytest.mark.django_db

HOURLY = {
    "trigger_type": "cron",
    "schedule_type": "cron",
    "cron_expression": "0 * * * *",
}


def url_of(trigger: Trigger) -> str:
    return f"/api/v1/triggers/{trigger.id}"


def test_a_pause_can_be_set_and_removed(api: APIClient) -> None:
    trigger = make_trigger(**HOURLY)
    until = (timezone.now() + timedelta(days=9)).isoformat().replace("+00:00", "Z")

    paused = api.patch(url_of(trigger), {"paused_until": until, "pause_note": "audit"})
    lifted = api.patch(url_of(trigger), {"paused_until": None})

    assert (paused.status_code, lifted.status_code) == (200, 200)
    assert paused.json()["paused_until"] == until
    assert paused.json()["next_run_time"] >= until
    assert lifted.json()["paused_until"] is None
    assert lifted.json()["pause_note"] == "audit"
    assert lifted.json()["next_run_time"] < until


def test_put_without_a_pause_removes_it(api: APIClient) -> None:
    until = timezone.now() + timedelta(days=9)
    trigger = make_trigger(**HOURLY, paused_until=until, overlap="skip")
    full = {**HOURLY, "name": trigger.name, "agent_id": str(trigger.agent_id)}

    shown = api.put(url_of(trigger), full).json()

    assert (shown["paused_until"], shown["overlap"]) == (None, "allow")
    assert shown["next_run_time"] < until.isoformat()


@pytest.mark.parametrize("overlap", Overlap.values)
@pytest.mark.parametrize("trigger_type", ["manual", "webhook"])
def test_every_trigger_type_accepts_every_overlap_policy(
    api: APIClient, trigger_type: str, overlap: str
) -> None:
    trigger = make_trigger(trigger_type=trigger_type)

    response = api.patch(url_of(trigger), {"overlap": overlap.upper()})

    assert response.status_code == 200
    trigger.refresh_from_db()
    assert trigger.overlap == response.json()["overlap"] == overlap


def test_an_unknown_policy_is_rejected_by_name(api: APIClient) -> None:
    trigger = make_trigger()

    response = api.patch(url_of(trigger), {"overlap": "queue"})

    assert response.status_code == 400
    assert [e["pointer"] for e in response.json()["errors"]] == ["/overlap"]
    trigger.refresh_from_db()
    assert (trigger.overlap, trigger.version) == ("allow", 1)
