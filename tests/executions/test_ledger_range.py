from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from events.models import Event
from executions.pipeline.drain import drain
from tests.executions.simulated import (
    MINUTE,
    NOON,
    SimulatedClock,
    audit,
    make_minutely,
    summary,
)
from triggers.services.lifecycle import (
    disable_trigger,
    enable_trigger,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return SimulatedClock(monkeypatch)


def test_a_long_range_continues_where_a_page_ends(clock: SimulatedClock) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=25)

    pages = [audit(trigger, limit=10)]
    while pages[-1].next_from:
        pages.append(audit(trigger, since=pages[-1].next_from, limit=10))

    assert [len(page.entries) for page in pages] == [10, 10, 5]
    assert [page.is_complete for page in pages] == [False, False, True]
    instants = [e.scheduled_for for page in pages for e in page.entries]
    assert instants == [NOON + n * MINUTE for n in range(1, 26)]


def test_a_year_of_seconds_takes_as_few_queries_as_a_minute(
    clock: SimulatedClock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    trigger = make_minutely(cron_expression="* * * * * *")
    clock.move(days=365)

    for until in (NOON + MINUTE, clock.now):
        with django_assert_num_queries(6):
            found = audit(trigger, until=until, limit=1000)

    assert len(found.entries) == 1000
    assert found.next_from == NOON + timedelta(seconds=1001)


def test_more_versions_than_are_read_at_once_end_the_page(
    clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.services.schedule_history.MAX_VERSIONS", 2)
    trigger = make_minutely()
    for _ in range(2):
        clock.run(minutes=2)
        disable_trigger(trigger_id=trigger.pk)
        clock.run(minutes=2)
        enable_trigger(trigger_id=trigger.pk)

    first = audit(trigger)
    assert first.next_from is not None
    second = audit(trigger, since=first.next_from)

    assert [n for n, *_ in summary(first)] == [1, 2, 3, 4]
    assert [n for n, *_ in summary(second)] == [5, 6, 7, 8]


def test_instants_before_the_history_are_left_out(
    clock: SimulatedClock, settings: Settings
) -> None:
    settings.HISTORY_RETENTION_DAYS = 1
    trigger = make_minutely(catchup="none", cron_expression="0 * * * *")
    clock.move(days=2)
    clock.claim()
    drain()
    Event.objects.all().delete()

    found = audit(trigger)

    assert (found.horizon, found.since) == (NOON + 24 * 60 * MINUTE,) * 2
    assert found.is_clamped
    assert len(found.unaccounted()) == 25
    assert not audit(trigger, since=found.since).is_clamped


def test_a_range_that_is_older_than_the_history_is_empty(
    clock: SimulatedClock, settings: Settings
) -> None:
    trigger = make_minutely()
    clock.run(minutes=2)
    settings.HISTORY_RETENTION_DAYS = 1
    clock.move(days=2)

    found = audit(trigger, until=NOON + MINUTE)

    assert (found.since, found.until) == (NOON + MINUTE,) * 2
    assert (found.is_clamped, found.entries, found.next_from) == (True, [], None)
