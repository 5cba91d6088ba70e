from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from agents.models import Agent
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_listener, make_trigger
from tests.races import race
from tests.triggers.due_triggers import NOON, fired, make_due
from triggers.models import ScheduleVersion, Subscription, Trigger
from triggers.services.lifecycle import (
    TriggerNameTaken,
    TriggerNotFound,
    delete_trigger,
    disable_trigger,
    enable_trigger,
    patterns_of,
    update_trigger,
)
from triggers.services.scheduling import jitter_of
from triggers.services.validation import InvalidTrigger

pytestmark = pytest.mark.django_db

YEARLY = {
    "trigger_type": "cron",
    "schedule_type": "cron",
    "cron_expression": "0 0 1 1 *",
}


def versions(trigger: Trigger) -> list[tuple[bool, bool]]:
    """Return whether each version is active and current, oldest first."""
    rows = ScheduleVersion.objects.filter(trigger=trigger).order_by("valid_from", "id")
    return [(row.is_active, row.valid_to is None) for row in rows]


def test_a_new_schedule_has_a_next_run() -> None:
    trigger = make_trigger(**YEARLY)

    assert trigger.next_run_time == datetime(
        trigger.created_at.year + 1, 1, 1, tzinfo=UTC
    )
    assert trigger.next_scheduled_for == trigger.next_run_time
    assert versions(trigger) == [(True, True)]


def test_a_trigger_created_inactive_has_no_next_run() -> None:
    trigger = make_trigger(**YEARLY, is_active=False)

    assert (trigger.next_run_time, trigger.active_since) == (None, None)
    assert versions(trigger) == [(False, True)]


def test_disabling_and_enabling_replan_the_run_and_write_history() -> None:
    trigger = make_trigger(**YEARLY)

    off = disable_trigger(trigger_id=trigger.id, reason="quiet")
    assert (off.next_run_time, off.active_since, off.version) == (None, None, 2)
    assert off.disabled_reason == "quiet"

    on = enable_trigger(trigger_id=trigger.id)
    assert on.next_run_time == trigger.next_run_time
    assert on.active_since is not None
    assert trigger.active_since is not None
    assert on.active_since > trigger.active_since
    assert versions(trigger) == [(True, False), (False, False), (True, True)]


def test_a_second_enable_or_disable_changes_nothing() -> None:
    trigger = make_trigger(**YEARLY)

    assert enable_trigger(trigger_id=trigger.id).version == 1
    disable_trigger(trigger_id=trigger.id)
    assert disable_trigger(trigger_id=trigger.id).version == 2
    assert len(versions(trigger)) == 2


def test_a_changed_schedule_changes_the_next_run() -> None:
    trigger = make_trigger(**YEARLY)

    update_trigger(trigger_id=trigger.id, fields={"cron_expression": "0 0 2 1 *"})

    trigger.refresh_from_db()
    assert trigger.next_run_time is not None
    assert (trigger.next_run_time.day, trigger.version) == (2, 2)
    assert versions(trigger)[-1] == (True, True)


def test_a_rename_does_not_lose_a_due_run() -> None:
    trigger = make_due()

    update_trigger(trigger_id=trigger.id, fields={"name": "renamed"})

    trigger.refresh_from_db()
    assert trigger.next_run_time == NOON


def test_runs_due_by_the_old_schedule_are_recorded_before_a_change() -> None:
    due_at = (datetime.now(UTC) - timedelta(minutes=2)).replace(microsecond=0, second=0)
    trigger = make_due(due_at=due_at, catchup="all")

    update_trigger(trigger_id=trigger.id, fields={"cron_expression": "0 0 1 1 *"})

    trigger.refresh_from_db()
    assert fired(trigger)[:2] == [due_at, due_at + timedelta(minutes=1)]
    assert trigger.scheduled_runs == len(fired(trigger))
    assert trigger.last_scheduled_for == fired(trigger)[-1]
    assert trigger.next_run_time is not None
    assert trigger.next_run_time > datetime.now(UTC)


def test_a_change_within_the_jitter_keeps_the_waiting_run() -> None:
    nominal = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    trigger = make_due(cron_expression="0 * * * *", jitter_seconds=86_400)
    Trigger.objects.filter(pk=trigger.pk).update(
        next_scheduled_for=nominal, next_run_time=nominal + timedelta(hours=2)
    )

    update_trigger(trigger_id=trigger.id, fields={"catchup": "all"})

    trigger.refresh_from_db()
    assert trigger.next_scheduled_for == nominal
    assert trigger.next_run_time == nominal + jitter_of(trigger)


def test_disabling_drops_a_run_that_waits_for_its_jitter() -> None:
    nominal = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    trigger = make_due(cron_expression="0 * * * *", jitter_seconds=86_400)
    Trigger.objects.filter(pk=trigger.pk).update(
        next_scheduled_for=nominal, next_run_time=nominal + timedelta(hours=2)
    )

    disable_trigger(trigger_id=trigger.id)
    on = enable_trigger(trigger_id=trigger.id)

    assert on.next_scheduled_for is not None
    assert on.next_scheduled_for > nominal


def test_a_due_run_of_an_invalid_schedule_is_recorded() -> None:
    trigger = make_due()
    Trigger.objects.filter(pk=trigger.pk).update(cron_expression="broken")

    update_trigger(trigger_id=trigger.id, fields={"cron_expression": "0 0 1 1 *"})

    trigger.refresh_from_db()
    assert fired(trigger) == [NOON]
    assert trigger.scheduled_runs == 1
    assert trigger.next_run_time is not None
    assert trigger.next_run_time > datetime.now(UTC)


def test_a_disabled_trigger_can_be_changed_while_its_agent_is_disabled() -> None:
    trigger = make_trigger()
    disable_trigger(trigger_id=trigger.id)
    Agent.objects.update(is_active=False)

    changed = update_trigger(trigger_id=trigger.id, fields={"name": "renamed"})

    assert changed.trigger.name == "renamed"
    with pytest.raises(InvalidTrigger, match="is disabled"):
        update_trigger(trigger_id=trigger.id, fields={"is_active": True})


def test_a_changed_subject_is_copied_to_the_endpoint() -> None:
    trigger = make_trigger(trigger_type="webhook", subject="acme")
    endpoint = trigger.endpoint
    assert endpoint is not None

    update_trigger(trigger_id=trigger.id, fields={"subject": "other"})

    endpoint.refresh_from_db()
    assert endpoint.subject == "other"


def test_the_subject_of_a_shared_endpoint_cannot_change() -> None:
    trigger = make_trigger(trigger_type="webhook", subject="acme")
    endpoint = trigger.endpoint
    assert endpoint is not None
    make_trigger(trigger_type="webhook", endpoint=endpoint, subject="acme")

    with pytest.raises(InvalidTrigger) as refused:
        update_trigger(trigger_id=trigger.id, fields={"subject": "other"})

    assert [fault.pointer for fault in refused.value.faults] == ["/subject"]
    endpoint.refresh_from_db()
    assert endpoint.subject == "acme"


def test_a_run_due_when_its_trigger_was_disabled_is_skipped_as_inactive() -> None:
    due_at = datetime.now(UTC).replace(microsecond=0, second=0)
    trigger = make_due(due_at=due_at, misfire_grace_seconds=120)

    disable_trigger(trigger_id=trigger.id)
    drain()

    assert fired(trigger)[0] == due_at
    execution = TriggerExecution.objects.earliest("event_id")
    assert (execution.status, execution.reason) == ("skipped", "inactive")


def test_a_deleted_trigger_is_hidden_and_its_name_is_free() -> None:
    trigger = make_listener(name="nightly")

    delete_trigger(trigger_id=trigger.id)

    with pytest.raises(TriggerNotFound):
        enable_trigger(trigger_id=trigger.id)
    assert not Subscription.objects.exists()
    assert make_listener(name="nightly").id != trigger.id


def test_a_name_can_be_used_once() -> None:
    make_listener(name="nightly")

    with pytest.raises(TriggerNameTaken):
        make_listener(name="nightly")

    assert Trigger.objects.count() == 1


def test_subscriptions_have_the_patterns_and_the_subject() -> None:
    trigger = make_listener(event_types=["a.b", "a.b", "c.*"], subject="acme")
    assert patterns_of(trigger) == ["a.b", "c.*"]

    update_trigger(trigger_id=trigger.id, fields={"subject": "other"})

    found = Subscription.objects.values_list("pattern", "subject")
    assert set(found) == {("a.b", "other"), ("c.*", "other")}


def test_a_deleted_triggers_endpoint_closes_with_its_last_trigger() -> None:
    first = make_trigger(trigger_type="webhook")
    second = make_trigger(trigger_type="webhook", endpoint=first.endpoint)
    endpoint = first.endpoint
    assert endpoint is not None

    delete_trigger(trigger_id=first.id)
    endpoint.refresh_from_db()
    assert endpoint.is_active

    delete_trigger(trigger_id=second.id)
    endpoint.refresh_from_db()
    assert not endpoint.is_active


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_creates_with_one_name_make_one_trigger() -> None:
    def create() -> bool:
        try:
            make_listener(name="nightly")
        except TriggerNameTaken:
            return False
        return True

    assert sum(race(create)) == 1
    assert Trigger.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_changes_leave_one_current_version() -> None:
    trigger = make_trigger(**YEARLY)
    disable_trigger(trigger_id=trigger.id)

    race(lambda: enable_trigger(trigger_id=trigger.id))

    trigger.refresh_from_db()
    assert trigger.version == 3
    assert versions(trigger) == [(True, False), (False, False), (True, True)]
    assert Trigger.objects.filter(active_since__lte=Now()).count() == 1
