from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import (
    AnyCaseChoiceField,
    JSONObjectField,
    StrictSerializer,
)
from triggers.api.fields import InstantField, LocalTimeField
from triggers.api.serializers import MAX_INTEGER
from triggers.models import DstGap, DstOverlap, ScheduleType
from triggers.schedules import DstNote

SHOWN = 5
MOST_SHOWN = 1000


class ScheduleSerializer(StrictSerializer):
    """The fields of a trigger that say when it runs, and which runs to show.

    As in a trigger, a `cron_expression` says by itself that this is a cron schedule.
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
        help_text="The runs shown are later than this; now, unless given.",
    )
    count = serializers.IntegerField(
        default=SHOWN,
        min_value=1,
        max_value=MOST_SHOWN,
        help_text="How many runs to show; `max_runs` bounds them as well.",
    )


class OccurrenceSerializer(serializers.Serializer[Any]):
    utc = serializers.DateTimeField(source="at")
    local = LocalTimeField()
    note = serializers.ChoiceField(
        choices=[note.value for note in DstNote],
        allow_null=True,
        help_text="`dst_gap`: moved, as its local time is left out that day. "
        "`dst_overlap`: its local time comes twice that day.",
    )


class ScheduleDescriptionSerializer(serializers.Serializer[Any]):
    description = serializers.CharField()


class SchedulePreviewSerializer(ScheduleDescriptionSerializer):
    occurrences = OccurrenceSerializer(many=True)


class FaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="A JSON Pointer into the request.")
    detail = serializers.CharField()


class ScheduleVerdictSerializer(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    message = serializers.CharField()
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # a field
