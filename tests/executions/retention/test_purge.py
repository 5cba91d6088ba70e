from __future__ import annotations

import json
import logging
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from access.models import Session
from agents.models import AgentTask
from events.models import Event, EventKey
from executions.models import Retention, TriggerExecution
from executions.services.retention import events, purge, state
from executions.services.retention.events import ExpiredEvents
from executions.services.retention.state import read_ages
from executions.tasks import purge_history
from tests.executions.retention.old import (
    counts,
    days_ago,
    id_of,
    make_event,
    make_execution,
)
from tests.executions.retention.old import purge as purge_now
from tests.factories import make_listener, make_task
from tests.webhooks.received import reject
from webhooks.endpoints.lifecycle import create_endpoint

pytestmark = pytest.mark.django_db

ALL_KINDS = set(purge.KINDS) - {"confirmations", "schedule_versions", "triggers"}


@pytest.fixture(autouse=True)
def _keep(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = settings.REJECTION_RETENTION_DAYS = 90
    settings.EVENT_BODY_RETENTION_DAYS, settings.TRACE_RETENTION_DAYS = 7, 10
    settings.TICKHOOK_KEY_RETENTION_DAYS = 30


def make_history() -> None:
    """Store rows of every kind and age, some of them still needed."""
    endpoint = create_endpoint().endpoint
    trigger = make_listener()
    for days in (120, 100, 50, 20, 8.5, 1):
        event = make_event(days=days, source="webhook", endpoint_id=endpoint.pk)
        make_execution(event, trigger=trigger, ended_days_ago=days - 0.5)
        make_event(days=days, is_waiting=True)
        original = make_event(days=days + 1)
        make_event(days=days, replay_of=original.pk, body=b"", body_size=2)
        EventKey.objects.create(dedupe_key=id_of(days=0), event_id=event.pk)
        reject(endpoint, id=id_of(days=days))
        endpoint.rejection_counts.create(cause="x", hour=days_ago(days), count=1)
        Session.objects.create(session_key=str(days), expire_date=days_ago(days))
    make_execution(make_event(days=200), status="running", task=None, trigger=trigger)
    make_execution(make_event(days=201), trigger=trigger, ended_days_ago=1)
    orphan = make_execution(make_event(days=150), trigger=trigger)
    Event.objects.filter(pk=orphan.event_id).delete()
    task = make_task()
    type(task).objects.filter(pk=task.pk).update(
        id=id_of(days=95), status="failed", created_at=days_ago(95)
    )


def row_counts() -> dict[str, int]:
    models = (Event, TriggerExecution, EventKey, Session)
    return {model.__name__: model.objects.count() for model in models}


def test_a_dry_run_deletes_nothing_and_counts_what_a_purge_deletes() -> None:
    make_history()
    before = row_counts()

    dry = purge_now(is_dry_run=True)

    assert row_counts() == before
    assert not Retention.objects.exists()
    real = purge_now()
    assert dry.tallies == real.tallies
    assert set(counts(real)) == ALL_KINDS
    assert counts(purge_now(is_dry_run=True)) == {}


def test_a_stopped_purge_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    make_history()
    dry = purge_now(is_dry_run=True)
    stopped = purge_now(max_seconds=0)

    rest = purge_now()

    assert (stopped.is_complete, rest.is_complete) == (False, True)
    assert {k: stopped.tallies[k].rows + rest.tallies[k].rows for k in purge.KINDS} == {
        kind: tally.rows for kind, tally in dry.tallies.items()
    }


def test_a_killed_purge_leaves_no_partial_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "ROWS", 2)
    trigger = make_listener()
    for _ in range(5):
        make_execution(make_event(days=100), trigger=trigger)

    def die(_: float) -> None:
        if Event.objects.count() == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge_now(pause=die)

    executions = TriggerExecution.objects.filter(event__in=Event.objects.all())
    assert (executions.count(), TriggerExecution.objects.count()) == (3, 3)
    assert AgentTask.objects.count() == 3
    assert counts(purge_now())["events"] == 3


def test_each_batch_that_deletes_is_followed_by_a_pause() -> None:
    make_execution(make_event(days=91), task=None)
    pauses: list[float] = []

    purge_now(pause=pauses.append)

    assert len(pauses) == 2  # the trace, then the event
    assert min(pauses) > 0


def test_an_installation_without_history_starts_at_once() -> None:
    make_event(days=91)

    assert counts(purge_now())["events"] == 1


def test_an_upgraded_installation_waits_for_seven_days() -> None:
    make_event(days=91)
    Retention.objects.create(upgraded_at=timezone.now() - timedelta(days=6.9))

    waiting = purge_now()

    assert (counts(waiting), Event.objects.count()) == ({}, 1)
    assert waiting.starts_at is not None
    assert counts(purge_now(is_dry_run=True))["events"] == 1
    Retention.objects.update(upgraded_at=timezone.now() - timedelta(days=7.1))
    assert counts(purge_now())["events"] == 1


def test_the_log_says_once_a_day_what_the_first_purge_will_delete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_event(days=91)
    Retention.objects.create(upgraded_at=timezone.now())

    for _ in range(3):
        purge_history()
    [line] = [r.getMessage() for r in caplog.records]
    assert "1 events from" in line
    assert "set HISTORY_RETENTION_DAYS to a larger number of days, or to 0" in line

    Retention.objects.update(warned_at=timezone.now() - timedelta(days=1, minutes=1))
    purge_history()
    assert len(caplog.records) == 2
    assert Event.objects.count() == 1


def test_an_upgraded_installation_with_young_history_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_event(days=1)
    Retention.objects.create(upgraded_at=timezone.now())

    purge_history()

    assert not caplog.records


def test_the_hourly_purge_says_what_it_deleted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    make_event(days=91)

    purge_history()
    purge_history()

    own = (r for r in caplog.records if r.name.startswith("executions."))
    [line] = [r.getMessage() for r in own]
    assert line.startswith("Purge: deleted 1 events from ")


def test_beat_starts_the_purge_every_hour_on_the_slow_queue() -> None:
    entry = PeriodicTask.objects.get(name="tickhook-purge-history")

    assert (entry.task, entry.queue) == (purge_history.name, "slow")
    assert (entry.interval.every, entry.interval.period) == (1, "hours")


def test_a_purge_is_claimed_and_the_claim_of_a_killed_one_expires() -> None:
    make_event(days=91)
    with state.claim_purge() as claimant, pytest.raises(state.PurgeRuns):
        purge_now()
    assert Event.objects.count() == 1

    Retention.objects.update(
        claimed_by=claimant, claimed_until=timezone.now() - timedelta(seconds=1)
    )
    assert counts(purge_now())["events"] == 1
    assert Retention.objects.get().claimed_by is None


def test_a_purge_that_lost_its_claim_deletes_nothing_more() -> None:
    make_event(days=91)
    with state.claim_purge() as claimant:
        Retention.objects.update(claimed_by=id_of(days=0))
        ages = read_ages(timezone.now())
        found = purge.Purge(is_dry_run=False, ages=ages)
        with pytest.raises(state.PurgeRuns):
            purge._walk(found, [ExpiredEvents(ages)], claimant, None, purge.pause_for)

    assert Event.objects.count() == 1
    assert Retention.objects.get().claimed_by is not None


def test_an_hourly_purge_ends_quietly_if_another_runs_or_the_database_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with state.claim_purge():
        purge_history()
    assert not caplog.records

    def fail(**_: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(purge, "purge_history", fail)
    purge_history()
    assert "the next hourly run continues" in caplog.text


def output_of(*arguments: str) -> str:
    out = StringIO()
    call_command("purge_history", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_counts_by_kind_and_then_deletes() -> None:
    make_event(days=91)
    Retention.objects.create(upgraded_at=timezone.now())

    dry, waiting = output_of("--dry-run"), output_of()

    assert "events: 1, from " in dry
    assert "executions: 0\n" in dry
    assert "A purge would delete 1 events from " in dry
    assert "the first one waits until " in dry
    assert waiting.startswith("Deleted nothing: the first purge waits until ")
    assert output_of("--now").startswith("Deleted 1 events from ")
    assert output_of("--now") == "Deleted nothing\n"


def test_the_command_answers_as_json() -> None:
    event = make_event(days=91)

    answer = json.loads(output_of("--dry-run", "--json"))

    assert answer["dry_run"] is True
    assert answer["counts"]["events"]["rows"] == 1
    assert answer["counts"]["events"]["oldest"][:10] == f"{days_ago(91):%Y-%m-%d}"
    assert answer["before"]["history"][:10] == f"{days_ago(90):%Y-%m-%d}"
    assert Event.objects.get() == event


def test_the_command_fails_while_another_purge_runs() -> None:
    with state.claim_purge(), pytest.raises(CommandError, match="is running"):
        output_of()


def test_the_command_says_that_it_may_be_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("lock timeout")

    monkeypatch.setattr(purge, "_walk", fail)

    with pytest.raises(CommandError, match="Run the command again"):
        output_of()
    assert Retention.objects.get().claimed_by is None
