"""What a sender sends never disables a trigger (D5)."""

from __future__ import annotations

import pytest

from agents.models import AgentTask, TaskStatus
from events.models import EventSource, Inbox
from executions.models import ExecutionTrace, TriggerExecution
from executions.pipeline.drain import drain
from tests.executions.flow import finish, history, under_way
from tests.executions.poison import refused_executions
from tests.factories import make_listener, make_trigger, record
from tests.races import race
from tests.webhooks.deliveries import deliver
from triggers.models import Trigger, TriggerStats
from triggers.services.stats import fold_stats

pytestmark = pytest.mark.django_db

WARM = {
    "type": "rule",
    "rules": [
        {
            "field": "body.to_state.attributes.temperature",
            "operator": "less_than",
            "value": 10,
        }
    ],
}
UNAVAILABLE = b'{"to_state": {"attributes": {"temperature": "unavailable"}}}'
COLD = b'{"to_state": {"attributes": {"temperature": 5}}}'


def failures_of(trigger: Trigger) -> int:
    return TriggerStats.objects.get(pk=trigger.pk).consecutive_failures


def send(trigger: Trigger, body: bytes) -> None:
    assert trigger.endpoint is not None
    assert deliver(trigger.endpoint, body).status_code == 200


def test_readings_that_cannot_be_compared_do_not_disable() -> None:  # case 17
    trigger = make_trigger(trigger_type="webhook", conditions=WARM)
    for number in range(7):
        send(trigger, UNAVAILABLE.replace(b"}}}", b'}, "n": %d}}' % number))
    drain()

    send(trigger, COLD)
    drain()

    trigger.refresh_from_db()
    assert trigger.is_active
    assert history(trigger) == ["skipped: condition_error"] * 7 + ["success"]
    assert ExecutionTrace.objects.first().trace["outcome"] == "error"  # type: ignore[union-attr]


@pytest.mark.parametrize("policy", ["fail", "skip", "match"])
def test_no_policy_lets_condition_errors_disable(policy: str) -> None:
    trigger = make_listener(
        conditions=WARM, on_condition_error=policy, failure_threshold=1
    )
    for _ in range(3):
        record(body=UNAVAILABLE)
        drain()

    trigger.refresh_from_db()
    assert trigger.is_active
    assert failures_of(trigger) == 0


def test_failed_condition_errors_are_failures_in_the_statistics() -> None:
    trigger = make_listener(conditions=WARM, on_condition_error="fail")
    record(body=UNAVAILABLE)
    drain()

    fold_stats()

    assert TriggerStats.objects.get(pk=trigger.pk).failed_executions == 1


def test_a_poisonous_event_does_not_count() -> None:
    trigger = make_listener(failure_threshold=1)
    with refused_executions("trigger_id", trigger.id):
        record()
        drain()

    trigger.refresh_from_db()
    assert TriggerExecution.objects.get().reason == "poison"
    assert (trigger.is_active, failures_of(trigger)) == (True, 0)


def test_an_event_that_ends_workers_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger = make_listener(failure_threshold=1)
    record()
    Inbox.objects.update(deaths=3)

    drain()

    trigger.refresh_from_db()
    assert TriggerExecution.objects.get().error_type == "WorkerDied"
    assert trigger.is_active


@pytest.mark.parametrize(
    ("source", "failures"),
    [
        (EventSource.EMIT, 0),
        (EventSource.WEBHOOK, 0),
        (EventSource.MANUAL, 0),
        (EventSource.SCHEDULE, 1),
    ],
)
def test_an_exception_counts_only_where_the_event_carries_no_data(
    source: EventSource, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("executions.pipeline.parameters.build_parameters", fail)
    trigger = make_listener()
    record(trigger_id=trigger.id, source=source)

    drain()

    assert TriggerExecution.objects.get().reason == "error"
    assert failures_of(trigger) == failures


@pytest.mark.parametrize(
    ("config", "is_active"), [({}, True), ({"secret": True}, False)]
)
def test_failing_tasks_of_unsigned_requests_do_not_disable(
    config: dict[str, bool], is_active: bool
) -> None:
    trigger = make_trigger(
        trigger_type="webhook", webhook={"config": config}, failure_threshold=1
    )
    record(type="generic.order", source=EventSource.WEBHOOK, trigger_id=trigger.id)
    drain()
    assert AgentTask.objects.count() == 1

    finish(under_way(trigger)[0], TaskStatus.FAILED)

    trigger.refresh_from_db()
    assert trigger.is_active is is_active


@pytest.mark.django_db(transaction=True)
def test_eight_workers_with_bad_readings_leave_failures_of_tasks_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 1)
    trigger = make_listener(conditions=WARM, on_condition_error="fail")
    TriggerStats.objects.filter(pk=trigger.pk).update(consecutive_failures=4)
    for _ in range(40):
        record(body=UNAVAILABLE)

    race(drain)

    trigger.refresh_from_db()
    assert (trigger.is_active, failures_of(trigger)) == (True, 4)
    fold_stats()
    assert TriggerStats.objects.get(pk=trigger.pk).failed_executions == 40
