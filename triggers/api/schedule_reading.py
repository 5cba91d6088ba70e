"""From the body of a request to a schedule, as a trigger of these fields has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from common.api.errors import faults_of
from common.errors import Fault, join_faults
from triggers.api.schedule_serializers import ScheduleSerializer
from triggers.models import ScheduleType, Trigger, TriggerType
from triggers.schedules import InvalidSchedule, Occurrence, Schedule, preview
from triggers.services.columns import set_columns
from triggers.services.scheduling import schedule_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A schedule that no trigger has yet, and which of its runs to show."""

    schedule: Schedule
    after: datetime
    count: int

    def list_occurrences(self) -> list[Occurrence]:
        return preview(self.schedule, self.after, self.count)


def read_schedule(body: object) -> Draft:
    """Read a body; raise InvalidSchedule with all that is wrong with it at once.

    Where fields can't be read, the others are judged all the same.
    """
    serializer = ScheduleSerializer(data=body)
    if serializer.is_valid():
        return _draft(serializer.validated_data)
    faults = [*faults_of(serializer.errors), *_find_more_faults(serializer)]
    raise InvalidSchedule(join_faults(faults), faults=faults)


def _draft(fields: Mapping[str, Any]) -> Draft:
    columns = dict(fields)
    after, count = columns.pop("after"), columns.pop("count")
    if after is None:
        after = timezone.now().replace(microsecond=0)
    return Draft(
        schedule=_build(columns, anchor=after),
        after=after,
        count=min(count, columns["max_runs"] or count),
    )


def _build(columns: Mapping[str, Any], *, anchor: datetime) -> Schedule:
    """Build the schedule of a trigger created at `anchor`, which is not stored."""
    trigger = Trigger(trigger_type=TriggerType.CRON, schedule_anchor=anchor)
    set_columns(trigger, columns)
    is_cron = trigger.schedule_type == ScheduleType.CRON
    if is_cron and trigger.cron_expression is None:
        fault = Fault("/cron_expression", "A cron schedule needs a cron_expression")
        raise InvalidSchedule.from_faults([fault])
    return schedule_of(trigger)


def _find_more_faults(serializer: ScheduleSerializer) -> list[Fault]:
    """Return what is wrong with the fields that can be read."""
    unread, body = set(serializer.errors), serializer.initial_data
    if not isinstance(body, Mapping):
        return []
    rest = {name: value for name, value in body.items() if name not in unread}
    if "cron_expression" in unread:  # it would have said what type this is
        unread.add("schedule_type")
    again = ScheduleSerializer(data=rest)
    try:
        again.is_valid(raise_exception=True)
        _draft(again.validated_data)
    except InvalidSchedule as invalid:
        return [f for f in invalid.faults if f.pointer.split("/")[1] not in unread]
    return []
