"""The admission of runs, without a database."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from agents.services.submit import NewTask
from common.ids import uuid7
from events.models import Event
from executions.models import ExecutionStatus
from executions.pipeline.admit import MAX_WAITING, EarlierRun, TriggerAdmission
from executions.pipeline.match import Pair
from executions.pipeline.store import NewExecution
from triggers.models import Trigger

POLICIES = ("allow", "skip", "buffer_one", "buffer_all", "cancel_previous")


def run(policy: str, **event: Any) -> NewExecution:
    """An execution that would start if no other run existed."""
    trigger = Trigger(overlap=policy)
    task = NewTask(
        agent_id=uuid7(),
        idempotency_key=uuid7(),
        task_type="",
        title="",
        parameters="{}",
        metadata="{}",
    )
    return NewExecution(
        pair=Pair(Event(**event), trigger),
        executed_at=timezone.now(),
        status=ExecutionStatus.SUCCESS,
        task=task,
    )


def admitted(admission: TriggerAdmission, runs: list[NewExecution]) -> list[str]:
    """Admit runs one after the other; return the result of each."""
    for execution in runs:
        admission.admit(execution)
    return [_word(execution) for execution in runs]


def _word(execution: NewExecution) -> str:
    if execution.task is not None:
        is_held = execution.status == ExecutionStatus.PENDING
        assert execution.task.is_held == is_held
        return "held" if is_held else "started"
    return f"{execution.status}: {execution.reason}"


SKIPPED, CANCELLED = "skipped: overlap", "cancelled: overlap"
LIMITED = "skipped: rate_limited"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("allow", ["started", "started", "started"]),
        ("skip", ["started", SKIPPED, SKIPPED]),
        ("buffer_one", ["started", "held", SKIPPED]),
        ("buffer_all", ["started", "held", "held"]),
        ("cancel_previous", [CANCELLED, CANCELLED, "started"]),
    ],
)
def test_a_batch_of_runs_is_admitted_one_after_the_other(
    policy: str, expected: list[str]
) -> None:
    assert admitted(TriggerAdmission(), [run(policy) for _ in range(3)]) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("allow", ["started", "started"]),
        ("skip", [SKIPPED, SKIPPED]),
        ("buffer_one", ["held", SKIPPED]),
        ("buffer_all", ["held", "held"]),
        ("cancel_previous", [CANCELLED, "started"]),
    ],
)
def test_a_run_under_way_blocks_the_next(policy: str, expected: list[str]) -> None:
    assert (
        admitted(TriggerAdmission(is_busy=True), [run(policy), run(policy)]) == expected
    )


@pytest.mark.parametrize(
    ("waiting", "policy", "expected"),
    [
        (1, "skip", SKIPPED),
        (1, "buffer_one", "held"),
        (2, "buffer_one", SKIPPED),
        (2, "buffer_all", "held"),
    ],
)
def test_no_run_overtakes_a_waiting_one(
    waiting: int, policy: str, expected: str
) -> None:
    assert admitted(TriggerAdmission(waiting=waiting), [run(policy)]) == [expected]


def test_buffer_one_skips_if_a_run_waits() -> None:
    admission = TriggerAdmission(is_busy=True, waiting=1)

    assert admitted(admission, [run("buffer_one")]) == [SKIPPED]


def test_a_replaced_run_is_cancelled_whether_it_runs_or_waits() -> None:
    earlier = [EarlierRun(event_id=uuid7(), task_id=uuid7()) for _ in range(2)]
    admission = TriggerAdmission(is_busy=True, waiting=1, earlier=earlier)

    assert admitted(admission, [run("cancel_previous")]) == ["started"]

    assert admission.cancelled == [run.task_id for run in earlier]


def test_a_run_of_a_newer_event_is_not_replaced() -> None:
    late = run("cancel_previous")
    newer = EarlierRun(event_id=uuid7(), task_id=uuid7())
    admission = TriggerAdmission(is_busy=True, earlier=[newer])

    assert admitted(admission, [late]) == [CANCELLED]

    assert admission.cancelled == []


def test_a_waiting_run_of_the_same_batch_is_replaced() -> None:
    runs = [run("buffer_all"), run("buffer_all"), run("cancel_previous")]

    assert admitted(TriggerAdmission(), runs) == [CANCELLED, CANCELLED, "started"]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_of_a_backfill_overrides_the_triggers(policy: str) -> None:
    backfilled = run(policy, options={"overlap": "buffer_all"})

    assert admitted(TriggerAdmission(is_busy=True), [backfilled]) == ["held"]


def test_a_run_that_may_overlap_blocks_the_others() -> None:
    runs = [run("skip", options={"overlap": "allow"}), run("skip")]

    assert admitted(TriggerAdmission(), runs) == ["started", SKIPPED]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("allow", ["started", "started", LIMITED]),
        ("skip", ["started", SKIPPED, SKIPPED]),
        ("buffer_all", ["started", "held", LIMITED]),
        ("cancel_previous", [CANCELLED, "started", LIMITED]),
    ],
)
def test_a_skipped_run_does_not_count_towards_the_limit(
    policy: str, expected: list[str]
) -> None:
    assert (
        admitted(TriggerAdmission(left=2), [run(policy) for _ in range(3)]) == expected
    )


def test_a_run_over_the_limit_replaces_nothing() -> None:
    under_way = EarlierRun(event_id=uuid7(), task_id=uuid7())
    admission = TriggerAdmission(is_busy=True, left=0, earlier=[under_way])

    assert admitted(admission, [run("cancel_previous")]) == [LIMITED]

    assert admission.cancelled == []


def test_at_most_a_thousand_runs_wait() -> None:
    admission = TriggerAdmission(is_busy=True, waiting=MAX_WAITING - 1)

    found = admitted(admission, [run("buffer_all"), run("buffer_all")])

    assert found == ["held", "skipped: overlap"]
