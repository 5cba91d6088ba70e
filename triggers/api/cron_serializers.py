from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from triggers.api.fields import CronPartField
from triggers.schedules.zones import explain_unknown_zone


class CronPresetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    cron = serializers.CharField()
    description = serializers.CharField()


class CronPartsSerializer(StrictSerializer):
    """The parts of a cron expression; each is `*` unless given."""

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


class CronQuestionSerializer(StrictSerializer):
    """Any text is judged, so none is too long or too short to be read."""

    cron_expression = serializers.CharField(allow_blank=True, trim_whitespace=False)
    timezone = serializers.CharField(default="UTC", max_length=100)

    def validate_timezone(self, name: str) -> str:
        if problem := explain_unknown_zone(name):
            raise serializers.ValidationError(problem)
        return name


class CronVerdictSerializer(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    message = serializers.CharField()
    next_runs = serializers.ListField(child=serializers.DateTimeField())
