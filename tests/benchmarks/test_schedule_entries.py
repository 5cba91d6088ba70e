from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from benchmarks.schedule.entries import Due, copy_row, hourly_instants

NOW = datetime(2026, 11, 2, 9, 47, 31, tzinfo=UTC)


def test_hourly_entries_are_due_neither_soon_nor_just_before() -> None:
    instants = hourly_instants(NOW)

    assert min(instants) > NOW + timedelta(minutes=19)
    assert max(instants) - timedelta(hours=1) < NOW - timedelta(minutes=9)


def test_no_two_hourly_instants_are_of_one_minute() -> None:
    minutes = [instant.minute for instant in hourly_instants(NOW)]

    assert len(set(minutes)) == len(minutes)


def test_entries_come_due_one_after_the_other() -> None:
    apart = timedelta(milliseconds=5)
    due = Due(count=3, at=NOW, every=timedelta(hours=1), apart=apart)

    assert [due.time_of(number) for number in range(3)] == [
        NOW,
        NOW + timedelta(milliseconds=5),
        NOW + timedelta(milliseconds=10),
    ]


@pytest.mark.django_db
def test_copies_of_a_row_differ_in_the_computed_columns() -> None:
    model = PeriodicTask.objects.bulk_create([PeriodicTask(name="model", task="a.b")])

    copy_row(model[0], "generate_series(0, %s::int) n", [1], name="'entry ' || n")

    copies = PeriodicTask.objects.filter(name__startswith="entry ")
    assert list(copies.order_by("name").values_list("name", "task")) == [
        ("entry 0", "a.b"),
        ("entry 1", "a.b"),
    ]
