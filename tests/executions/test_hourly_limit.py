from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from agents.models import AgentTask
from events.services.record import record_events
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import HourlyLimitReached, run_trigger
from tests.factories import make_listener, new_event, record
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


def one_event_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each worker a batch of one event, so that all reach the limit together."""
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 1)


def counted(status: str, reason: str = "") -> int:
    return TriggerExecution.objects.filter(status=status, reason=reason).count()


def test_exactly_the_limit_is_admitted_by_eight_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_event_a_lease(monkeypatch)
    for round_number in range(1, ROUNDS + 1):
        make_listener(max_executions_per_hour=3, event_types=[f"round.{round_number}"])
        record_events([new_event(type=f"round.{round_number}") for _ in range(8)])

        race(drain)

        assert counted("success") == 3 * round_number
        assert counted("skipped", "rate_limited") == 5 * round_number
    assert AgentTask.objects.count() == 3 * ROUNDS


def test_a_batch_admits_the_first_events() -> None:
    make_listener(max_executions_per_hour=2)
    events = [new_event() for _ in range(5)]
    record_events(events)

    drain()

    admitted = TriggerExecution.objects.filter(status="success")
    assert set(admitted.values_list("event_id", flat=True)) == {
        event.id for event in events[:2]
    }


def test_the_window_slides() -> None:
    make_listener(max_executions_per_hour=2)
    record(), record(), record()
    drain()
    oldest = TriggerExecution.objects.filter(status="success").earliest("id")
    TriggerExecution.objects.filter(pk=oldest.pk).update(
        executed_at=F("executed_at") - timedelta(hours=1)
    )

    record(), record()
    drain()

    assert counted("success") == 3
    assert counted("skipped", "rate_limited") == 2


def test_skipped_executions_do_not_count_towards_the_limit() -> None:
    make_listener(
        max_executions_per_hour=1,
        conditions={
            "type": "rule",
            "rules": [{"field": "body.go", "operator": "eq", "value": True}],
        },
    )
    record(body=b'{"go": false}')
    record(body=b'{"go": true}')

    drain()

    assert counted("success") == counted("skipped", "conditions_not_met") == 1


def test_a_limit_of_zero_admits_nothing() -> None:
    make_listener(max_executions_per_hour=0)
    record()

    drain()

    assert counted("skipped", "rate_limited") == 1


def test_triggers_have_separate_limits() -> None:
    make_listener(max_executions_per_hour=1)
    make_listener()
    record(), record()

    drain()

    assert counted("success") == 3


def test_a_run_over_the_limit_is_rejected_with_the_time_to_wait() -> None:
    trigger = make_listener(max_executions_per_hour=1)
    run_trigger(trigger_id=trigger.id)
    drain()
    ran_at = timezone.now() - timedelta(minutes=50)
    TriggerExecution.objects.update(executed_at=ran_at)

    with pytest.raises(HourlyLimitReached) as refusal:
        run_trigger(trigger_id=trigger.id)

    assert refusal.value.retry_after_seconds in range(595, 601)
    assert TriggerExecution.objects.count() == 1
