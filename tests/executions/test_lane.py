"""What is decided of runs, without a database."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from agents.services.submit import NewTask
from common.ids import uuid7
from events.models import Event
from executions.models import ExecutionStatus
from executions.pipeline.admission.lane import MAX_WAITING, Earlier, Lane
from executions.pipeline.matching import Pair
from executions.pipeline.outcome import Outcome
from triggers.models import Trigger

POLICIES = ("allow", "skip", "buffer_one", "buffer_all", "cancel_previous")


def run(policy: str, **event: Any) -> Outcome:
    """What would start, if nothing were in its way."""
    trigger = Trigger(overlap=policy)
    task = NewTask(
        agent_id=uuid7(),
        idempotency_key=uuid7(),
        task_type="",
        title="",
        parameters="{}",
        metadata="{}",
    )
    return Outcome(
        pair=Pair(Event(**event), trigger),
        executed_at=timezone.now(),
        status=ExecutionStatus.SUCCESS,
        task=task,
    )


def admitted(lane: Lane, runs: list[Outcome]) -> list[str]:
    """What becomes of runs, one after the other: `held` ones have a held task."""
    for outcome in runs:
        lane.admit(outcome)
    return [_word(outcome) for outcome in runs]


def _word(outcome: Outcome) -> str:
    if outcome.task is not None:
        is_held = outcome.status == ExecutionStatus.PENDING
        assert outcome.task.is_held == is_held
        return "held" if is_held else "started"
    return f"{outcome.status}: {outcome.reason}"


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
def test_several_at_once_are_as_one_after_the_other(
    policy: str, expected: list[str]
) -> None:
    assert admitted(Lane(), [run(policy) for _ in range(3)]) == expected


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
def test_a_run_under_way_is_in_the_way(policy: str, expected: list[str]) -> None:
    assert admitted(Lane(is_busy=True), [run(policy), run(policy)]) == expected


@pytest.mark.parametrize(
    ("waiting", "policy", "expected"),
    [
        (1, "skip", SKIPPED),
        (1, "buffer_one", "held"),
        (2, "buffer_one", SKIPPED),
        (2, "buffer_all", "held"),
    ],
)
def test_nobody_overtakes_what_is_about_to_start(
    waiting: int, policy: str, expected: str
) -> None:
    assert admitted(Lane(waiting=waiting), [run(policy)]) == [expected]


def test_one_that_waits_leaves_no_room_for_another() -> None:
    lane = Lane(is_busy=True, waiting=1)

    assert admitted(lane, [run("buffer_one")]) == [SKIPPED]


def test_what_is_replaced_is_cancelled_whether_it_runs_or_waits() -> None:
    earlier = [Earlier(event_id=uuid7(), task_id=uuid7()) for _ in range(2)]
    lane = Lane(is_busy=True, waiting=1, earlier=earlier)

    assert admitted(lane, [run("cancel_previous")]) == ["started"]

    assert lane.cancelled == [run.task_id for run in earlier]


def test_a_late_event_gives_way_to_a_newer_ones_run() -> None:
    late = run("cancel_previous")
    newer = Earlier(event_id=uuid7(), task_id=uuid7())
    lane = Lane(is_busy=True, earlier=[newer])

    assert admitted(lane, [late]) == [CANCELLED]

    assert lane.cancelled == []


def test_what_is_replaced_in_one_batch_may_have_waited() -> None:
    runs = [run("buffer_all"), run("buffer_all"), run("cancel_previous")]

    assert admitted(Lane(), runs) == [CANCELLED, CANCELLED, "started"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_backfills_own_policy_goes_first(policy: str) -> None:
    backfilled = run(policy, options={"overlap": "buffer_all"})

    assert admitted(Lane(is_busy=True), [backfilled]) == ["held"]


def test_a_run_that_may_overlap_is_in_the_way_of_others() -> None:
    runs = [run("skip", options={"overlap": "allow"}), run("skip")]

    assert admitted(Lane(), runs) == ["started", SKIPPED]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("allow", ["started", "started", LIMITED]),
        ("skip", ["started", SKIPPED, SKIPPED]),
        ("buffer_all", ["started", "held", LIMITED]),
        ("cancel_previous", [CANCELLED, "started", LIMITED]),
    ],
)
def test_what_is_skipped_uses_up_no_limit(policy: str, expected: list[str]) -> None:
    assert admitted(Lane(left=2), [run(policy) for _ in range(3)]) == expected


def test_what_is_over_the_limit_replaces_nothing() -> None:
    under_way = Earlier(event_id=uuid7(), task_id=uuid7())
    lane = Lane(is_busy=True, left=0, earlier=[under_way])

    assert admitted(lane, [run("cancel_previous")]) == [LIMITED]

    assert lane.cancelled == []


def test_no_more_than_a_thousand_wait() -> None:
    lane = Lane(is_busy=True, waiting=MAX_WAITING - 1)

    found = admitted(lane, [run("buffer_all"), run("buffer_all")])

    assert found == ["held", "skipped: overlap"]
