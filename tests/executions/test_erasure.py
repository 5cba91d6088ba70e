"""What an erasure leaves to the ledger, to other runs, and to the sandbox."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from access.erasure import erase_subject
from agents.models import AgentTask, TaskStatus
from events.models import Event, Inbox
from executions.models import TriggerExecution
from executions.pipeline.drain import drain, process_lease
from executions.pipeline.leases import claim_batch
from executions.services.waiting import start_waiting
from tests.executions.flow import history
from tests.executions.simulated import (
    MINUTE,
    NOON,
    SimulatedClock,
    audit,
    make_minutely,
    summary,
)
from tests.factories import make_listener, record
from triggers.models import Overlap

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return SimulatedClock(monkeypatch)


def test_the_ledger_of_a_subject_stays_complete(clock: SimulatedClock) -> None:
    trigger = make_minutely(subject="acme", catchup="none")
    clock.run(minutes=2)
    clock.move(minutes=10)
    clock.claim()
    drain()
    before = summary(audit(trigger, until=NOON + 12 * MINUTE))
    assert Event.objects.filter(type="schedule.missed").exists()

    erase_subject("acme")

    after = audit(trigger, until=NOON + 12 * MINUTE)
    assert summary(after) == before
    assert (len(before), after.unaccounted()) == (12, [])
    assert not Event.objects.exclude(subject="").exists()


def test_an_occurrence_that_waited_is_skipped(clock: SimulatedClock) -> None:
    trigger = make_minutely(subject="acme")
    clock.move(minutes=1)
    clock.claim()

    erase_subject("acme")

    found = summary(audit(trigger, until=NOON + MINUTE))
    assert found == [(1, "skipped", "by_person")]
    assert history(trigger) == ["cancelled: by_person"]


def test_a_run_of_another_subject_that_waited_starts(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    listener = make_listener(overlap=Overlap.BUFFER_ALL)
    for subject in ("acme", "acme", "other"):
        record(subject=subject)
    drain()
    assert history(listener) == ["success", "pending: overlap", "pending: overlap"]

    with (
        patch("executions.tasks.start_waiting.apply_async") as published,
        django_capture_on_commit_callbacks(execute=True),
    ):
        erase_subject("acme")
    assert published.call_args.kwargs["args"] == ([str(listener.pk)],)
    start_waiting([listener.pk])

    assert history(listener) == ["success", "cancelled: by_person", "success"]
    tasks = AgentTask.objects.order_by("execution__event_id")
    assert list(tasks.values_list("status", flat=True)) == [
        TaskStatus.CANCELLED,
        TaskStatus.CANCELLED,
        TaskStatus.SUBMITTED,
    ]


def test_the_code_of_a_webhook_type_does_not_run_for_an_erased_event() -> None:
    make_listener()
    event = record(subject="acme")
    lease = claim_batch()
    assert lease is not None
    Event.objects.filter(pk=event.pk).update(erased_at=event.received_at)

    with patch("executions.pipeline.drain.EventParser.parse") as parse:
        assert process_lease(lease) == 1

    assert parse.call_count == 0
    [execution] = TriggerExecution.objects.all()
    assert (execution.status, execution.reason) == ("cancelled", "by_person")
    assert not Inbox.objects.exists()
