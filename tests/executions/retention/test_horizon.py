"""The ledger and backfills of purged history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from events.models import Event
from executions.models import Retention
from executions.services.retention import purge, state
from executions.services.run import HistoryPurged, backfill_trigger
from tests.executions.retention.old import purge as purge_now
from tests.executions.simulated import (
    MINUTE,
    NOON,
    SimulatedClock,
    audit,
    make_minutely,
)
from triggers.models import Trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    clock = SimulatedClock(monkeypatch)
    monkeypatch.setattr(purge, "database_now", lambda: clock.now)
    return clock


@pytest.fixture
def trigger(clock: SimulatedClock, settings: Settings) -> Trigger:
    settings.HISTORY_RETENTION_DAYS = 1
    trigger = make_minutely()
    Trigger.objects.filter(pk=trigger.pk).update(created_at=NOON - 400 * 1440 * MINUTE)
    return trigger


def test_a_purged_range_is_not_unaccounted_after_retention_was_raised(
    clock: SimulatedClock, trigger: Trigger, settings: Settings
) -> None:
    clock.run(minutes=3)
    clock.move(days=2)
    purge_now()
    Event.objects.all().delete()
    settings.HISTORY_RETENTION_DAYS = None

    found = audit(trigger, until=NOON + 3 * MINUTE)

    before = clock.now - timedelta(days=1) - state.MARGIN
    assert (found.horizon, found.entries, found.is_clamped) == (before, [], True)
    assert Retention.objects.get().purged_before == before


def test_the_ledger_lists_all_history_while_the_first_purge_waits(
    clock: SimulatedClock, trigger: Trigger
) -> None:
    Retention.objects.create(upgraded_at=NOON)
    clock.run(minutes=3)
    clock.move(days=2)

    found = audit(trigger, until=NOON + 3 * MINUTE)

    assert (found.horizon, len(found.entries)) == (None, 3)


def test_the_ledger_finds_all_its_events_while_a_purge_runs(
    clock: SimulatedClock, trigger: Trigger
) -> None:
    clock.move(days=2)
    found = audit(trigger, until=NOON + MINUTE)

    before = state.read_ages(clock.now).history
    assert before is not None
    assert found.horizon == before + state.MARGIN


def test_a_backfill_of_a_purged_range_is_rejected(
    clock: SimulatedClock, trigger: Trigger
) -> None:
    clock.move(days=2)

    with pytest.raises(HistoryPurged) as refused:
        backfill_trigger(trigger_id=trigger.pk, since=NOON)

    assert refused.value.faults[0].pointer == "/from"
    assert "HISTORY_RETENTION_DAYS" in refused.value.detail
    assert not Event.objects.exists()


def test_a_young_trigger_has_no_purged_history(
    clock: SimulatedClock, trigger: Trigger
) -> None:
    clock.move(days=2)
    Trigger.objects.filter(pk=trigger.pk).update(created_at=clock.now)

    done = backfill_trigger(trigger_id=trigger.pk, since=NOON)

    assert done.recorded == 1
