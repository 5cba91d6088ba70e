"""Serializers of schedules, and the schedule that a request's body describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from common.api.errors import faults_of
from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from common.errors import Fault, join_faults
from triggers.api.fields import CronPartField, InstantField, LocalTimeField
from triggers.api.serializers import MAX_INTEGER
from triggers.models import DstGap, DstOverlap, ScheduleType, Trigger, TriggerType
from triggers.schedules import Dialect, DstNote, InvalidSchedule, Schedule
from triggers.schedules.zones import explain_unknown_zone
from triggers.services.scheduling import schedule_of
from triggers.services.validation import set_columns

SHOWN = 5
MOST_SHOWN = 1000


class ScheduleSerializer(StrictSerializer):
    """The fields of a trigger that define when it runs, and which runs to show.

    As in a trigger, a `cron_expression` makes this a cron schedule.
    """

    schedule_type = AnyCaseChoiceField(
        choices=ScheduleType.choices, default=None, allow_null=True
    )
    schedule_config = JSONObjectField(default=dict)
    cron_expression = serializers.CharField(
        default=None, allow_null=True, max_length=255
    )
    timezone = serializers.CharField(default="UTC", max_length=100)
    start_at = InstantField(default=None, allow_null=True)
    end_at = InstantField(default=None, allow_null=True)
    max_runs = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=MAX_INTEGER
    )
    dst_gap = AnyCaseChoiceField(choices=DstGap.choices, default=DstGap.AFTER)
    dst_overlap = AnyCaseChoiceField(
        choices=DstOverlap.choices, default=DstOverlap.FIRST
    )
    after = InstantField(
        default=None,
        allow_null=True,
        help_text="Show runs later than this instant; the default is now.",
    )
    count = serializers.IntegerField(
        default=SHOWN,
        min_value=1,
        max_value=MOST_SHOWN,
        help_text="How many runs to show, but not more than `max_runs`.",
    )


class OccurrenceSerializer(serializers.Serializer[Any]):
    utc = serializers.DateTimeField(source="at")
    local = LocalTimeField()
    note = serializers.ChoiceField(
        choices=[note.value for note in DstNote],
        allow_null=True,
        help_text="`dst_gap`: moved, because its local time does not exist that day. "
        "`dst_overlap`: its local time occurs twice that day.",
    )


class ScheduleDescriptionSerializer(serializers.Serializer[Any]):
    description = serializers.CharField()


class StoredCronSerializer(serializers.Serializer[Any]):
    """How a cron expression would be stored, and by whose rules it was read."""

    cron_expression = serializers.CharField(allow_null=True)
    read_as = serializers.ChoiceField(choices=[*Dialect], allow_null=True)


class SchedulePreviewSerializer(ScheduleDescriptionSerializer, StoredCronSerializer):
    occurrences = OccurrenceSerializer(many=True)


class FaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="A JSON Pointer into the request.")
    detail = serializers.CharField()


class ScheduleValidationSerializer(StoredCronSerializer):
    valid = serializers.BooleanField()
    message = serializers.CharField()
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # a field


class CronPresetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    cron = serializers.CharField()
    description = serializers.CharField()


class CronPartsSerializer(StrictSerializer):
    """The parts of a cron expression; the default of each is `*`."""

    minute = CronPartField()
    hour = CronPartField()
    day = CronPartField()
    month = CronPartField()
    weekday = CronPartField()


class BuiltCronSerializer(serializers.Serializer[Any]):
    cron_expression = serializers.CharField()
    description = serializers.CharField()
    valid = serializers.BooleanField()
    message = serializers.CharField()


class CronToValidateSerializer(StrictSerializer):
    """Accepts any text, so that the response can name what is wrong with it."""

    cron_expression = serializers.CharField(allow_blank=True, trim_whitespace=False)
    timezone = serializers.CharField(default="UTC", max_length=100)

    def validate_timezone(self, name: str) -> str:
        if problem := explain_unknown_zone(name):
            raise serializers.ValidationError(problem)
        return name


class CronValidationSerializer(StoredCronSerializer):
    valid = serializers.BooleanField()
    message = serializers.CharField()
    next_runs = serializers.ListField(child=serializers.DateTimeField())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A schedule that is not stored, and which of its runs to show.

    `trigger` is the trigger that would have it.
    """

    trigger: Trigger
    schedule: Schedule
    read_as: Dialect | None
    after: datetime
    count: int


def read_schedule(body: object) -> Draft:
    """Read a body; raise InvalidSchedule with all its faults.

    If some fields cannot be parsed, the others are validated, too.
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
    # As a trigger that is created at `after`
    trigger = Trigger(trigger_type=TriggerType.CRON, schedule_anchor=after)
    read_as = set_columns(trigger, columns)
    return Draft(
        trigger=trigger,
        schedule=schedule_of(trigger, is_stored=False),
        read_as=read_as,
        after=after,
        count=min(count, columns["max_runs"] or count),
    )


def _find_more_faults(serializer: ScheduleSerializer) -> list[Fault]:
    """Return the faults of the fields that can be parsed."""
    unread, body = set(serializer.errors), serializer.initial_data
    if not isinstance(body, Mapping):
        return []
    rest = {name: value for name, value in body.items() if name not in unread}
    if "cron_expression" in unread:  # it would set the schedule type
        unread.add("schedule_type")
    again = ScheduleSerializer(data=rest)
    try:
        again.is_valid(raise_exception=True)
        _draft(again.validated_data)
    except InvalidSchedule as invalid:
        return [f for f in invalid.faults if f.pointer.split("/")[1] not in unread]
    return []
