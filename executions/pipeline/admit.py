"""Admits the runs of triggers under flow control, per trigger and in event order.

Overlap policy and hourly limit depend on the runs admitted before, so admission of the
triggers is locked until the transaction ends. Triggers without flow control are not
touched. The number of queries is the same for any number of runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from django.db import connection

from agents.services.run import busy_keys, busy_tasks, cancel_tasks
from executions.models import (
    WAITS_FOR_ITS_TURN,
    ExecutionStatus,
    Reason,
    TriggerExecution,
)
from executions.pipeline.limit_notices import announce_limits
from executions.pipeline.match import Pair, options_of
from executions.pipeline.store import NewExecution
from triggers.models import Overlap, Trigger

# A single transaction must be able to cancel or start all waiting runs.
MAX_WAITING = 1000

# PostgreSQL keeps all locks in one table of some thousands of entries, and one event
# may concern more triggers than that. So triggers share locks.
LOCKS = 1024
_ADMISSION = 0x61646D69

# A sliding window. Skipped executions do not count; counting stops at the limit.
_USED = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status <> 'skipped'
    AND e.executed_at > statement_timestamp() - interval '1 hour' LIMIT v.most
) recent)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""

_WAITING = """
SELECT v.id, (SELECT count(*) FROM (
    SELECT 1 FROM executions_triggerexecution e
    WHERE e.trigger_id = v.id AND e.status = 'pending' AND e.reason = 'overlap'
    LIMIT v.most
) counted)
FROM unnest(%s::uuid[], %s::bigint[]) AS v(id, most)
"""

REPLACED = "Cancelled: the trigger's next run replaced it (overlap: cancel_previous)"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A stored run that is under way or waits; `cancel_previous` cancels it."""

    event_id: UUID
    task_id: UUID


def admit(executions: Sequence[NewExecution]) -> None:
    """Decide which executions that have a task start, wait, or end without a task."""
    groups = _under_flow_control(executions)
    if not groups:
        return
    lock_admission(groups)
    admissions = _load_admissions(groups)
    for trigger_id, group in groups.items():
        for execution in group:
            admissions[trigger_id].admit(execution)
    cancelled = [task_id for a in admissions.values() for task_id in a.cancelled]
    if cancelled:
        cancel_tasks(task_ids=cancelled, error=REPLACED)
    announce_limits(execution for group in groups.values() for execution in group)


def _under_flow_control(
    executions: Iterable[NewExecution],
) -> Mapping[UUID, list[NewExecution]]:
    """Return, by trigger, the executions with a task if any is under flow control."""
    groups: dict[UUID, list[NewExecution]] = defaultdict(list)
    for execution in executions:
        if execution.task:
            groups[execution.pair.trigger.id].append(execution)
    return {
        trigger_id: group
        for trigger_id, group in groups.items()
        if any(has_flow_control(execution.pair) for execution in group)
    }


def _load_admissions(
    groups: Mapping[UUID, Sequence[NewExecution]],
) -> dict[UUID, TriggerAdmission]:
    left = left_this_hour(group[0].pair.trigger for group in groups.values())
    policies = {i: {policy_of(e.pair) for e in group} for i, group in groups.items()}
    exclusive = [i for i, found in policies.items() if found != {Overlap.ALLOW}]
    replacing = [i for i in exclusive if Overlap.CANCEL_PREVIOUS in policies[i]]
    busy = busy_keys(exclusive) if exclusive else set()
    waiting = count_waiting(exclusive) if exclusive else {}
    earlier = find_earlier(replacing) if replacing else {}
    return {
        i: TriggerAdmission(
            is_busy=i in busy,
            waiting=waiting.get(i, 0),
            left=left.get(i),
            earlier=earlier.get(i, []),
        )
        for i in groups
    }


@dataclass(slots=True, kw_only=True)
class TriggerAdmission:
    """The runs of one trigger: those stored before, and those that a batch admits.

    `left` is what the hourly limit leaves, None without a limit. `cancelled` are the
    stored tasks that a run replaces.
    """

    is_busy: bool = False
    waiting: int = 0
    left: int | None = None
    earlier: list[EarlierRun] = field(default_factory=list)
    admitted: list[NewExecution] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        """If runs wait although none is running, count the first one as running."""
        if self.waiting and not self.is_busy:
            self.is_busy, self.waiting = True, self.waiting - 1

    def admit(self, execution: NewExecution) -> None:
        """Start, hold or end a run, as if the runs before it had been stored."""
        if self.left == 0:
            execution.skip(Reason.RATE_LIMITED)
            return
        _POLICIES[policy_of(execution.pair)](self, execution)
        if self.left is not None and execution.status != ExecutionStatus.SKIPPED:
            self.left -= 1

    def start(self, execution: NewExecution) -> None:
        self.is_busy = True
        self.admitted.append(execution)

    def start_or_skip(self, execution: NewExecution) -> None:
        if self.is_busy:
            execution.skip(Reason.OVERLAP)
        else:
            self.start(execution)

    def buffer_one(self, execution: NewExecution) -> None:
        if self.waiting:
            execution.skip(Reason.OVERLAP)
        else:
            self.buffer(execution)

    def buffer(self, execution: NewExecution) -> None:
        if not self.is_busy:
            self.start(execution)
            return
        if self.waiting >= MAX_WAITING:
            execution.skip(Reason.OVERLAP)
            return
        execution.hold()
        self.waiting += 1
        self.admitted.append(execution)

    def replace(self, execution: NewExecution) -> None:
        """Start in place of all earlier runs, unless a run of a later event exists."""
        event_id = execution.pair.event.id
        if any(run.event_id > event_id for run in self.earlier):
            execution.cancel(Reason.OVERLAP)
            return
        self.cancelled += [run.task_id for run in self.earlier]
        for run in self.admitted:
            run.cancel(Reason.OVERLAP)
        self.earlier, self.admitted, self.waiting = [], [], 0
        self.start(execution)


_POLICIES: Mapping[str, Callable[[TriggerAdmission, NewExecution], None]] = (
    MappingProxyType(
        {
            Overlap.ALLOW: TriggerAdmission.start,
            Overlap.SKIP: TriggerAdmission.start_or_skip,
            Overlap.BUFFER_ONE: TriggerAdmission.buffer_one,
            Overlap.BUFFER_ALL: TriggerAdmission.buffer,
            Overlap.CANCEL_PREVIOUS: TriggerAdmission.replace,
        }
    )
)


def policy_of(pair: Pair) -> str:
    """Return the overlap policy for a pair; a backfill may override the trigger's."""
    policy: str = options_of(pair.event).get("overlap") or pair.trigger.overlap
    return policy


def has_flow_control(pair: Pair) -> bool:
    is_limited = pair.trigger.max_executions_per_hour is not None
    return is_limited or policy_of(pair) != Overlap.ALLOW


def lock_admission(trigger_ids: Iterable[UUID]) -> None:
    """Lock the admission of runs of these triggers until this transaction ends.

    The holder sees all runs that were admitted before, and only a holder changes tasks
    that are held back. The locks are taken before any row is locked, in the order of
    their keys, so that they cannot deadlock.
    """
    keys = sorted({trigger_id.int % LOCKS for trigger_id in trigger_ids})
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) key",
                [_ADMISSION, keys],
            )


def used_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how much of its hourly limit each trigger has used, at most the limit."""
    limits = {t.id: t.max_executions_per_hour or 0 for t in triggers}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [list(limits), list(limits.values())])
        return dict(cursor.fetchall())


def left_this_hour(triggers: Iterable[Trigger]) -> Mapping[UUID, int]:
    """Return how many more runs each trigger that has a limit may start now."""
    limited = [t for t in triggers if t.max_executions_per_hour is not None]
    used = used_this_hour(limited) if limited else {}
    return {t.id: (t.max_executions_per_hour or 0) - used[t.id] for t in limited}


def count_waiting(trigger_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return how many runs of each trigger wait for their turn.

    Counting stops at one above the maximum: the admission counts one of the waiting
    runs as running if none is running.
    """
    most = [MAX_WAITING + 1] * len(trigger_ids)
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [list(trigger_ids), most])
        return dict(cursor.fetchall())


def find_earlier(trigger_ids: Collection[UUID]) -> Mapping[UUID, list[EarlierRun]]:
    """Return the runs of each trigger that are under way or wait for their turn."""
    under_way = TriggerExecution.objects.filter(task__in=busy_tasks(trigger_ids))
    waiting = TriggerExecution.objects.filter(
        WAITS_FOR_ITS_TURN, trigger_id__in=list(trigger_ids)
    )
    names = ("trigger_id", "event_id", "task_id")
    found: dict[UUID, list[EarlierRun]] = defaultdict(list)
    for rows in (under_way, waiting):
        for trigger_id, event_id, task_id in rows.order_by().values_list(*names):
            found[trigger_id].append(EarlierRun(event_id=event_id, task_id=task_id))
    return found
