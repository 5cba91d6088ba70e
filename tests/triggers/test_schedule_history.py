from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.factories import make_trigger
from tests.triggers.due_triggers import NOON, fired
from triggers.models import ScheduleVersion, Trigger
from triggers.services import claim, lifecycle, stats
from triggers.services.claim import claim_due
from triggers.services.lifecycle import (
    delete_trigger,
    disable_trigger,
    update_trigger,
)
from triggers.services.schedule_history import (
    SkipReason,
    read_history,
    schedule_definition,
    trigger_as_of,
    version_boundary,
)
from triggers.services.scheduling import jitter_of
from triggers.services.stats import count_failures

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)
MINUTELY = {
    "trigger_type": "cron",
    "schedule_type": "cron",
    "cron_expression": "* * * * *",
}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Set the database's clock to the last item."""
    instants = [NOON]
    for module in (lifecycle, stats):
        monkeypatch.setattr(module, "database_now", lambda: instants[-1])
    return instants


def spans(trigger: Trigger) -> list[tuple[datetime, datetime | None, bool]]:
    rows = ScheduleVersion.objects.filter(trigger=trigger).order_by("valid_from", "id")
    return [(row.valid_from, row.valid_to, row.is_active) for row in rows]


def planned(trigger: Trigger, minutes: int) -> list[tuple[int, SkipReason | None]]:
    """Return the planned minutes after noon, each with its skip reason."""
    trigger.refresh_from_db()
    history = read_history(trigger, NOON, NOON + minutes * MINUTE)
    found = history.occurrences(NOON)
    return [(round((one.at - NOON) / MINUTE), one.skip_reason) for one in found]


def test_versions_meet_at_the_instant_of_the_change(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY)
    at.append(NOON + 90 * MINUTE)
    disable_trigger(trigger_id=trigger.pk)

    assert spans(trigger) == [(NOON, at[-1], True), (at[-1], None, False)]
    trigger.refresh_from_db()
    assert trigger.updated_at == at[-1]


def test_a_change_of_other_fields_writes_no_version(at: list[datetime]) -> None:
    trigger = make_trigger(**MINUTELY)

    update_trigger(trigger_id=trigger.pk, fields={"name": "renamed"})

    assert spans(trigger) == [(NOON, None, True)]


def test_a_run_that_waits_for_its_jitter_belongs_to_the_next_version(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY, jitter_seconds=3600)
    jitter = jitter_of(trigger)
    at.append(NOON + jitter + 90 * MINUTE)

    update_trigger(
        trigger_id=trigger.pk, fields={"catchup": "all", "misfire_grace_seconds": 60}
    )

    trigger.refresh_from_db()
    waits = trigger.next_scheduled_for
    assert waits is not None
    assert waits + jitter > at[-1] >= waits - MINUTE + jitter
    assert spans(trigger)[1] == (waits - INSTANT, None, True)
    assert fired(trigger) == [waits - MINUTE]


def test_runs_that_one_claim_cannot_catch_up_are_left_to_the_new_schedule(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY, catchup="all", catchup_window_seconds=86_400)
    at.append(NOON + 1500 * MINUTE)
    update_trigger(trigger_id=trigger.pk, fields={"catchup_window_seconds": 90_000})

    while claim_due(now=at[-1]):
        pass

    assert fired(trigger) == [NOON + n * MINUTE for n in range(60, 1501)]


def test_a_version_stores_the_number_of_earlier_runs(at: list[datetime]) -> None:
    trigger = make_trigger(**MINUTELY)
    at.append(NOON + MINUTE)
    disable_trigger(trigger_id=trigger.pk)

    runs = ScheduleVersion.objects.order_by("valid_from", "id")
    assert list(runs.values_list("scheduled_runs", "last_scheduled_for")) == [
        (0, NOON + MINUTE),
        (1, None),
    ]


def test_unclaimed_runs_of_an_auto_disabled_trigger_are_inactive(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY, failure_threshold=1)
    at.append(NOON + 5 * MINUTE)

    count_failures(trigger.pk, failures=1)

    first = NOON + MINUTE - INSTANT
    assert spans(trigger) == [(NOON, first, True), (first, None, False)]


def test_a_trigger_without_a_schedule_has_no_current_version(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY)
    at.append(NOON + MINUTE / 2)
    update_trigger(trigger_id=trigger.pk, fields={"trigger_type": "manual"})
    at.append(NOON + 5 * MINUTE)
    update_trigger(trigger_id=trigger.pk, fields={"trigger_type": "cron"})

    assert spans(trigger) == [(NOON, at[1], True), (at[2], None, True)]


def test_unclaimed_runs_of_a_removed_schedule_are_inactive(
    at: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "MAX_OCCURRENCES", 2)
    trigger = make_trigger(**MINUTELY, catchup="all")
    at.append(NOON + 5 * MINUTE)

    update_trigger(trigger_id=trigger.pk, fields={"trigger_type": "manual"})

    last = NOON + 3 * MINUTE - INSTANT
    assert fired(trigger) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert spans(trigger) == [(NOON, last, True), (last, at[-1], False)]


def test_the_last_version_of_a_deleted_trigger_is_inactive(at: list[datetime]) -> None:
    trigger = make_trigger(**MINUTELY)
    at.append(NOON + MINUTE / 2)

    delete_trigger(trigger_id=trigger.pk)

    assert spans(trigger) == [(NOON, at[-1], True), (at[-1], None, False)]


def test_an_old_version_has_defaults_for_newer_fields() -> None:
    make_trigger(**MINUTELY, paused_until=NOON, overlap="skip")
    version = ScheduleVersion.objects.get()
    del version.definition["paused_until"], version.definition["overlap"]

    old = trigger_as_of(version)

    assert (old.cron_expression, old.paused_until) == ("* * * * *", None)
    assert old.overlap == "allow"


def test_a_version_restores_its_schedule(at: list[datetime]) -> None:
    trigger = make_trigger(
        **MINUTELY, start_at=NOON, end_at=NOON + MINUTE, jitter_seconds=60, max_runs=3
    )

    [version] = ScheduleVersion.objects.all()

    old = trigger_as_of(version)
    assert schedule_definition(old) == schedule_definition(trigger)
    assert (old.start_at, jitter_of(old)) == (NOON, jitter_of(trigger))


@pytest.mark.parametrize(
    ("unclaimed", "settled"),
    [
        (None, NOON),
        (NOON + MINUTE, NOON),
        (NOON, NOON - INSTANT),
        (NOON - MINUTE, NOON - MINUTE - INSTANT),
    ],
)
def test_versions_meet_at_the_first_unclaimed_occurrence(
    unclaimed: datetime | None, settled: datetime
) -> None:
    assert version_boundary(unclaimed, NOON) == settled


def test_history_has_each_occurrence_once_with_its_skip_reason(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY)
    at.append(NOON + 2 * MINUTE)
    disable_trigger(trigger_id=trigger.pk)

    reasons = (None, None, SkipReason.INACTIVE, SkipReason.INACTIVE)
    assert planned(trigger, 4) == list(enumerate(reasons, start=1))


def test_a_schedule_that_reached_max_runs_ends_with_its_last_run(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY, max_runs=2, catchup="all")
    at.append(NOON + 5 * MINUTE)
    update_trigger(trigger_id=trigger.pk, fields={"max_runs": 3})

    assert planned(trigger, 7) == [(n, None) for n in (1, 2, 6, 7)]


def test_a_version_without_a_run_count_ends_with_its_last_run(
    at: list[datetime],
) -> None:
    trigger = make_trigger(**MINUTELY, max_runs=9)
    at.append(NOON + 2 * MINUTE)
    update_trigger(trigger_id=trigger.pk, fields={"max_runs": None})
    at.append(NOON + 4 * MINUTE)
    disable_trigger(trigger_id=trigger.pk)
    ScheduleVersion.objects.update(scheduled_runs=None, last_scheduled_for=None)

    assert planned(trigger, 5) == [(3, None), (4, None), (5, SkipReason.INACTIVE)]
