"""What every class that TICKHOOK_CLOCK may name keeps towards the services."""

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
def told(request: pytest.FixtureRequest, settings: Settings) -> TriggerScheduler:
    """A clock as services reach it, under each scheduler of beat."""
    settings.TICKHOOK_CLOCK, settings.CELERY_BEAT_SCHEDULER = request.param
    return get_clock()


def make_daily() -> Trigger:
    return make_trigger(trigger_type="cron", schedule_type="daily")


def state(clock: TriggerScheduler, trigger: Trigger) -> object:
    return clock.get_trigger_status(trigger.id)["status"]


def test_a_trigger_runs_from_its_creation_on(told: TriggerScheduler) -> None:
    trigger = make_daily()

    status = told.get_trigger_status(trigger.id)

    assert status["status"] == "running"
    assert status["next_run_time"] == trigger.next_run_time


def test_the_status_follows_enable_and_disable(told: TriggerScheduler) -> None:
    trigger = make_daily()

    disable_trigger(trigger_id=trigger.id)
    is_off = state(told, trigger)
    enable_trigger(trigger_id=trigger.id)

    assert (is_off, state(told, trigger)) == ("not_running", "running")


def test_a_second_call_has_the_same_effect(told: TriggerScheduler) -> None:
    trigger = make_daily()

    told.schedule_trigger(trigger)
    told.update_schedule(trigger)
    is_on = state(told, trigger)
    disable_trigger(trigger_id=trigger.id)
    told.unschedule_trigger(trigger.id)
    told.unschedule_trigger(trigger.id)

    assert (is_on, state(told, trigger)) == ("running", "not_running")


def test_a_trigger_can_be_removed_and_added_again(told: TriggerScheduler) -> None:
    trigger = make_daily()

    told.unschedule_trigger(trigger.id)
    told.schedule_trigger(trigger)

    assert state(told, trigger) == "running"


def test_an_unknown_trigger_is_no_error(told: TriggerScheduler) -> None:
    unknown = uuid7()

    told.unschedule_trigger(unknown)
    told.take_over_runs([unknown])

    assert told.get_trigger_status(unknown) == {"status": "not_running"}


def test_a_rolled_back_change_does_not_reach_the_clock(told: TriggerScheduler) -> None:
    trigger = make_daily()

    with transaction.atomic():
        told.unschedule_trigger(trigger.id)
        transaction.set_rollback(True)

    assert state(told, trigger) == "running"


def test_it_can_be_shut_down_twice(told: TriggerScheduler) -> None:
    trigger = make_daily()

    told.shutdown()
    told.shutdown()

    assert state(told, trigger) == "running"
