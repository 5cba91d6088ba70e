"""The contract of the classes that TICKHOOK_CLOCK can name."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import transaction
from pytest_django import Settings

from common.ids import uuid7
from tests.contracts.clocks.conftest import CLOCKS
from tests.factories import make_trigger
from triggers.clock import TriggerScheduler, get_clock
from triggers.models import Trigger
from triggers.services.lifecycle import disable_trigger, enable_trigger

pytestmark = pytest.mark.django_db(transaction=True)

INTERFACES = ("triggers.clocks.beat.BeatScheduler",)


@pytest.fixture(params=product(INTERFACES, CLOCKS.values()), ids=" under ".join)
def scheduler(request: pytest.FixtureRequest, settings: Settings) -> TriggerScheduler:
    """Return the clock that the services use, with each scheduler class of beat."""
    settings.TICKHOOK_CLOCK, settings.CELERY_BEAT_SCHEDULER = request.param
    return get_clock()


def make_daily() -> Trigger:
    return make_trigger(trigger_type="cron", schedule_type="daily")


def state(clock: TriggerScheduler, trigger: Trigger) -> object:
    return clock.get_trigger_status(trigger.id)["status"]


def test_a_trigger_runs_from_its_creation_on(scheduler: TriggerScheduler) -> None:
    trigger = make_daily()

    status = scheduler.get_trigger_status(trigger.id)

    assert status["status"] == "running"
    assert status["next_run_time"] == trigger.next_run_time


def test_the_status_follows_enable_and_disable(scheduler: TriggerScheduler) -> None:
    trigger = make_daily()

    disable_trigger(trigger_id=trigger.id)
    is_off = state(scheduler, trigger)
    enable_trigger(trigger_id=trigger.id)

    assert (is_off, state(scheduler, trigger)) == ("not_running", "running")


def test_a_second_call_has_the_same_effect(scheduler: TriggerScheduler) -> None:
    trigger = make_daily()

    scheduler.schedule_trigger(trigger)
    scheduler.update_schedule(trigger)
    is_on = state(scheduler, trigger)
    disable_trigger(trigger_id=trigger.id)
    scheduler.unschedule_trigger(trigger.id)
    scheduler.unschedule_trigger(trigger.id)

    assert (is_on, state(scheduler, trigger)) == ("running", "not_running")


def test_a_trigger_can_be_removed_and_added_again(scheduler: TriggerScheduler) -> None:
    trigger = make_daily()

    scheduler.unschedule_trigger(trigger.id)
    scheduler.schedule_trigger(trigger)

    assert state(scheduler, trigger) == "running"


def test_an_unknown_trigger_is_no_error(scheduler: TriggerScheduler) -> None:
    unknown = uuid7()

    scheduler.unschedule_trigger(unknown)
    scheduler.take_over_runs([unknown])

    assert scheduler.get_trigger_status(unknown) == {"status": "not_running"}


def test_a_rolled_back_change_does_not_reach_the_clock(
    scheduler: TriggerScheduler,
) -> None:
    trigger = make_daily()

    with transaction.atomic():
        scheduler.unschedule_trigger(trigger.id)
        transaction.set_rollback(True)

    assert state(scheduler, trigger) == "running"


def test_it_can_be_shut_down_twice(scheduler: TriggerScheduler) -> None:
    trigger = make_daily()

    scheduler.shutdown()
    scheduler.shutdown()

    assert state(scheduler, trigger) == "running"
