from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.factories import make_trigger
from tests.triggers.due import NOON
from triggers.models import ScheduleVersion, Trigger
from triggers.services import lifecycle
from triggers.services.lifecycle import disable_trigger, update_trigger
from triggers.services.schedule_history import SkipReason, read_history

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
MINUTELY = {
    "trigger_type": "cron",
    "schedule_type": "cron",
    "cron_expression": "* * * * *",
}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Set the database's clock to the last item."""
    instants = [NOON]
    monkeypatch.setattr(lifecycle, "database_now", lambda: instants[-1])
    return instants


def planned(trigger: Trigger, minutes: int) -> list[tuple[int, SkipReason | None]]:
    """Return the planned minutes after noon, each with its skip reason."""
    trigger.refresh_from_db()
    history = read_history(trigger, NOON, NOON + minutes * MINUTE)
    found = history.occurrences(NOON)
    return [(round((one.at - NOON) / MINUTE), one.skip_reason) for one in found]


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
