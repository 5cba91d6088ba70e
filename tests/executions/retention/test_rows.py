"""Tables whose rows are deleted by their own age."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from access.models import Session
from events.models import EventKey
from executions.models import ExecutionTrace, Retention
from executions.services.retention import rows
from tests.executions.retention.old import (
    counts,
    days_ago,
    id_of,
    make_event,
    make_execution,
    purge,
)
from tests.factories import make_listener, make_trigger, record
from triggers.models import ScheduleVersion, Trigger
from triggers.services.lifecycle import delete_trigger
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import PendingFetch, Rejection, RejectionCount, WebhookEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return create_endpoint().endpoint


def reject(endpoint: WebhookEndpoint, *, days: float, **fields: Any) -> Rejection:
    return Rejection.objects.create(
        id=id_of(days=days), endpoint=endpoint, cause="invalid_signature", status=401,
        method="POST", received_at=days_ago(days), **fields,
    )  # fmt: skip


def test_rejections_are_deleted_by_their_own_setting(
    settings: Settings, endpoint: WebhookEndpoint
) -> None:
    settings.REJECTION_RETENTION_DAYS = 5
    reject(endpoint, days=6)
    young = reject(endpoint, days=4)
    for days in (6, 4):
        RejectionCount.objects.create(
            endpoint=endpoint, cause="x", hour=days_ago(days), count=3
        )

    assert counts(purge()) == {
        "rejections": 1,
        "rejection_counts": 1,
        "deliveries": 1,
    }
    assert Rejection.objects.get() == young
    assert RejectionCount.objects.get().hour > days_ago(5)


def test_traces_of_final_executions_are_deleted_by_their_own_setting(
    settings: Settings,
) -> None:
    settings.HISTORY_RETENTION_DAYS, settings.TRACE_RETENTION_DAYS = 90, 10
    make_execution(make_event(days=11))
    make_execution(make_event(days=11), status="pending", task=None)
    make_execution(make_event(days=9))

    assert counts(purge()) == {"traces": 1}
    assert ExecutionTrace.objects.count() == 2


def test_keys_are_deleted_and_their_events_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKHOOK_KEY_RETENTION_DAYS = 30
    monkeypatch.setattr(rows, "PAGES", 1)
    old = [
        EventKey(dedupe_key=id_of(days=0), event_id=id_of(days=31)) for _ in range(401)
    ]
    young = EventKey(dedupe_key=id_of(days=0), event_id=id_of(days=29))
    EventKey.objects.bulk_create([*old, young])

    found = purge()

    assert counts(found) == {"keys": 401}
    assert EventKey.objects.get() == young
    oldest = found.tallies["keys"].oldest
    assert oldest is not None
    assert oldest < days_ago(30)


def test_keys_are_kept_for_the_largest_catchup_window(settings: Settings) -> None:
    settings.TICKHOOK_KEY_RETENTION_DAYS = 30
    EventKey.objects.create(dedupe_key=id_of(days=0), event_id=id_of(days=50))
    Trigger.objects.filter(pk=make_listener().pk).update(
        catchup_window_seconds=60 * 86_400
    )

    assert counts(purge()) == {}


def test_finished_confirmations_are_deleted_and_certificates_kept(
    settings: Settings,
) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    for kind, status in (
        ("confirmation", "done"), ("confirmation", "pending"), ("certificate", "done"),
    ):  # fmt: skip
        PendingFetch.objects.create(
            id=id_of(days=91), kind=kind, url=f"https://x.test/{kind}/{status}",
            status=status, next_attempt_at=timezone.now(),
        )  # fmt: skip

    assert counts(purge()) == {"confirmations": 1}
    assert PendingFetch.objects.count() == 2


def test_schedule_versions_are_deleted_once_no_kept_history_needs_them(
    settings: Settings,
) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    trigger = make_trigger(
        trigger_type="cron", schedule_type="cron", cron_expression="* * * * *"
    )
    current = ScheduleVersion.objects.get()
    for ended in (91, 89):
        ScheduleVersion.objects.create(
            id=id_of(days=100), trigger=trigger, is_active=True, definition={},
            valid_from=days_ago(100), valid_to=days_ago(ended),
        )  # fmt: skip

    assert counts(purge()) == {"schedule_versions": 1}
    assert ScheduleVersion.objects.filter(pk=current.pk).exists()


def test_a_deleted_trigger_is_purged_after_its_last_execution(
    settings: Settings,
) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    trigger, kept = make_listener(), make_listener()
    make_execution(make_event(days=91), trigger=trigger)
    make_execution(make_event(days=89), trigger=kept)
    for one in (trigger, kept):
        delete_trigger(trigger_id=one.pk)
    Trigger.objects.update(deleted_at=days_ago(91))

    assert counts(purge()) == {"events": 1, "executions": 1, "traces": 1, "tasks": 1}
    assert counts(purge()) == {"triggers": 1}
    assert Trigger.objects.get() == kept


def test_a_recently_deleted_trigger_is_kept(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    delete_trigger(trigger_id=make_listener().pk)

    assert counts(purge()) == {}


def test_expired_sessions_are_deleted_even_if_history_is_kept() -> None:
    for name, days in (("old", 1), ("young", -1)):
        Session.objects.create(
            session_key=name, session_data="", expire_date=days_ago(days)
        )

    assert counts(purge()) == {"sessions": 1}
    assert Session.objects.get().session_key == "young"


def test_an_hourly_run_reads_whole_tables_once_a_day(settings: Settings) -> None:
    settings.TICKHOOK_KEY_RETENTION_DAYS = 30
    found = []
    for last_daily_run in (None, timezone.now(), timezone.now() - timedelta(hours=21)):
        Retention.objects.update(daily_at=last_daily_run)
        EventKey.objects.create(dedupe_key=id_of(days=0), event_id=id_of(days=31))
        found.append(counts(purge(is_hourly=True)))

    assert found == [{"keys": 1}, {}, {"keys": 2}]


def test_a_young_event_and_its_key_are_kept(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = settings.TICKHOOK_KEY_RETENTION_DAYS = 1
    record(dedupe_key=id_of(days=0))

    assert counts(purge()) == {}
