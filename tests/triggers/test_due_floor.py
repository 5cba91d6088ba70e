from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from common.database.sql import database_now
from tests.races import race_all
from tests.triggers.due import fired, make_due, make_due_once
from triggers.models import Trigger
from triggers.services import due
from triggers.services.claim import claim_while_due
from triggers.services.due import DueFloor, find_due, seconds_until_due

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
EVERY_SECOND = {
    "schedule_type": "interval",
    "schedule_config": {"interval_seconds": 1},
    "catchup": "all",
}


def always() -> bool:
    return True


def test_the_floor_is_the_first_next_run_if_that_has_long_been_due() -> None:
    trigger, floor = make_due(due_at=database_now() - HOUR), DueFloor()

    seconds_until_due(floor)

    assert floor.instant == Trigger.objects.get(pk=trigger.pk).next_run_time


def test_the_floor_stays_some_seconds_behind_the_present() -> None:
    make_due(due_at=database_now() + HOUR)
    floor, before = DueFloor(), database_now()

    seconds_until_due(floor)

    assert floor.instant is not None
    margin = timedelta(seconds=5)
    assert before - margin <= floor.instant <= database_now() - margin


def test_a_trigger_planned_for_sooner_is_found_without_a_wake_up() -> None:
    make_due(due_at=database_now() + HOUR)
    floor = DueFloor()
    seconds_until_due(floor)

    trigger = make_due_once()

    assert claim_while_due(always, floor) is not None
    assert len(fired(trigger)) == 1


def test_what_is_due_since_before_the_floor_waits_for_the_full_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    floor = DueFloor()
    seconds_until_due(floor)
    trigger = make_due(due_at=database_now() - HOUR, catchup="latest")

    claim_while_due(always, floor)
    assert fired(trigger) == []

    monkeypatch.setattr(due, "FULL_LOOK_EVERY_SECONDS", -1.0)
    claim_while_due(always, floor)
    assert len(fired(trigger)) == 1


def test_a_trigger_that_is_caught_up_in_portions_stays_above_the_floor() -> None:
    start = database_now() - HOUR
    trigger, floor = make_due(due_at=start, **EVERY_SECOND), DueFloor()

    wait = claim_while_due(always, floor)

    assert wait is not None
    assert len(fired(trigger)) >= 3600


def test_what_another_clock_claims_and_rolls_back_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger, floor = make_due(due_at=database_now() - HOUR), DueFloor()

    def look() -> None:
        claim_while_due(always, floor)

    with transaction.atomic():
        Trigger.objects.filter(pk=trigger.pk).update(next_run_time=database_now())
        race_all([look])
        transaction.set_rollback(True)
    assert fired(trigger) == []
    claim_while_due(always, floor)

    assert len(fired(trigger)) == 1


def test_since_leaves_out_what_was_due_before() -> None:
    now = database_now()
    make_due(due_at=now - HOUR)
    later = make_due(due_at=now)

    found = find_due(now, limit=10, since=now)

    assert [trigger.id for trigger in found] == [later.id]
