"""Admits the runs of triggers under flow control, a trigger at a time, in event order.

Overlap policy and hourly limit look at what was admitted before. So the triggers are
held to the end of the transaction; those without flow control are not touched. The
number of queries is the same for any number of runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from agents.services.run import busy_keys, cancel_tasks
from executions.pipeline.admission.hourly_limit import left_this_hour
from executions.pipeline.admission.lane import Lane, policy_of
from executions.pipeline.admission.lock import hold_admission
from executions.pipeline.admission.stored import count_waiting, find_earlier
from executions.pipeline.matching import Pair
from executions.pipeline.outcome import Outcome
from triggers.models import Overlap

REPLACED = "Cancelled: its trigger's next run took its place (overlap: cancel_previous)"


def admit(outcomes: Sequence[Outcome]) -> None:
    """Decide which outcomes that have a task start, wait, or end without one."""
    groups = _under_flow_control(outcomes)
    if not groups:
        return
    hold_admission(groups)
    lanes = _find_lanes(groups)
    for trigger_id, group in groups.items():
        for outcome in group:
            lanes[trigger_id].admit(outcome)
    cancelled = [task_id for lane in lanes.values() for task_id in lane.cancelled]
    if cancelled:
        cancel_tasks(task_ids=cancelled, error=REPLACED)


def has_flow_control(pair: Pair) -> bool:
    is_limited = pair.trigger.max_executions_per_hour is not None
    return is_limited or policy_of(pair) != Overlap.ALLOW


def _under_flow_control(outcomes: Iterable[Outcome]) -> Mapping[UUID, list[Outcome]]:
    """Return, by trigger, what would start, where any of it is under flow control."""
    groups: dict[UUID, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.task:
            groups[outcome.trigger_id].append(outcome)
    return {
        trigger_id: group
        for trigger_id, group in groups.items()
        if any(has_flow_control(outcome.pair) for outcome in group)
    }


def _find_lanes(groups: Mapping[UUID, Sequence[Outcome]]) -> dict[UUID, Lane]:
    left = left_this_hour(group[0].pair.trigger for group in groups.values())
    policies = {i: _policies(group) for i, group in groups.items()}
    exclusive = [i for i, found in policies.items() if found != {Overlap.ALLOW}]
    replacing = [i for i in exclusive if Overlap.CANCEL_PREVIOUS in policies[i]]
    busy = busy_keys(exclusive) if exclusive else set()
    waiting = count_waiting(exclusive) if exclusive else {}
    earlier = find_earlier(replacing) if replacing else {}
    return {
        i: Lane(
            is_busy=i in busy,
            waiting=waiting.get(i, 0),
            left=left.get(i),
            earlier=earlier.get(i, []),
        )
        for i in groups
    }


def _policies(group: Iterable[Outcome]) -> set[str]:
    return {policy_of(outcome.pair) for outcome in group}
