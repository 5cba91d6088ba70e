"""Views that preview, describe and validate schedules; they read and store no row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.policy import Act
from common.api.views import StrictAPIView
from common.errors import NotFound
from triggers.access import VIEW_TRIGGER
from triggers.api.schedule_serializers import (
    BuiltCronSerializer,
    CronPartsSerializer,
    CronPresetSerializer,
    CronToValidateSerializer,
    CronValidationSerializer,
    Draft,
    ScheduleDescriptionSerializer,
    SchedulePreviewSerializer,
    ScheduleSerializer,
    ScheduleValidationSerializer,
    read_schedule,
)
from triggers.models import ScheduleType, Trigger
from triggers.schedules import (
    InvalidSchedule,
    build_cron,
    build_schedule,
    describe_expression,
    find_dialect,
    find_no_run,
    get_preset,
    list_presets,
    occurrences,
    preview,
    validate_cron,
)

RUNS_SHOWN = 5


class PresetNotFound(NotFound):
    """There is no preset of this name."""


class ScheduleViewSet(StrictAPIView, GenericViewSet[Trigger]):
    queryset = Trigger.objects.none()  # for the browsable API, which asks for one
    acts: ClassVar[Mapping[str, Act]] = dict.fromkeys(
        ("preview", "describe", "validate", "presets", "preset", "build"), VIEW_TRIGGER
    )

    @extend_schema(
        request=ScheduleSerializer, responses={200: SchedulePreviewSerializer}
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Show when a schedule comes due, without the jitter of a trigger.

        An interval counts from `start_at`, or from `after` if that is not given. The
        list has at most `max_runs` runs.
        """
        draft = read_schedule(request.data)
        answer = {
            **_stored_cron(draft),
            "description": draft.schedule.describe(),
            "occurrences": preview(draft.schedule, draft.after, draft.count),
        }
        return Response(SchedulePreviewSerializer(answer).data)

    @extend_schema(
        request=ScheduleSerializer, responses={200: ScheduleDescriptionSerializer}
    )
    @action(detail=False, methods=["post"])
    def describe(self, request: Request) -> Response:
        """Describe a schedule in words; accepts the same fields as a preview."""
        draft = read_schedule(request.data)
        return Response({"description": draft.schedule.describe()})

    @extend_schema(
        request=ScheduleSerializer, responses={200: ScheduleValidationSerializer}
    )
    @action(detail=False, methods=["post"])
    def validate(self, request: Request) -> Response:
        """Validate a schedule, and return all faults.

        The status is 200 for any JSON body, also if the schedule is not valid. A
        schedule without any run from now on is not valid.
        """
        stored: dict[str, str | None] = {"cron_expression": None, "read_as": None}
        try:
            draft = read_schedule(request.data)
            if over := find_no_run(draft.schedule, after=timezone.now()):
                raise InvalidSchedule.from_faults([over])
        except InvalidSchedule as invalid:
            verdict = {
                "valid": False,
                "message": invalid.detail,
                "errors": invalid.faults,
            }
        else:
            verdict = {"valid": True, "message": "Valid schedule", "errors": []}
            stored = _stored_cron(draft)
        answer = {**verdict, **stored}
        return Response(ScheduleValidationSerializer(answer).data)

    @extend_schema(responses=CronPresetSerializer(many=True))
    @action(detail=False, filter_backends=())
    def presets(self, request: Request) -> Response:
        """List ready-made cron expressions."""
        assert self.paginator is not None  # noqa: S101 - the settings name one
        page = self.paginator.paginate_queryset(list_presets(), request, view=self)
        return self.get_paginated_response(CronPresetSerializer(page, many=True).data)

    @extend_schema(responses={200: CronPresetSerializer})
    @action(detail=False, url_path="presets/<str:name>")
    def preset(self, request: Request, name: str) -> Response:
        """Show one ready-made cron expression."""
        found = get_preset(name)
        if found is None:
            raise PresetNotFound
        return Response(CronPresetSerializer(found).data)

    @extend_schema(request=CronPartsSerializer, responses={200: BuiltCronSerializer})
    @action(detail=False, methods=["post"])
    def build(self, request: Request) -> Response:
        """Build a cron expression from its parts, and validate it."""
        serializer = CronPartsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        expression = build_cron(**serializer.validated_data)
        is_valid, message = validate_cron(expression)
        answer = {
            "cron_expression": expression,
            "description": describe_expression(expression),
            "valid": is_valid,
            "message": message,
        }
        return Response(answer)


class ValidateCronView(StrictAPIView):
    acts: ClassVar[Mapping[str, Act]] = {"post": VIEW_TRIGGER}

    @extend_schema(
        request=CronToValidateSerializer,
        responses={200: CronValidationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Validate a cron expression; return its next five runs, in UTC, if valid."""
        serializer = CronToValidateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        is_valid, message = validate_cron(asked["cron_expression"])
        text = find_dialect(asked["cron_expression"])
        answer = {
            "valid": is_valid,
            "message": message,
            "next_runs": _list_next_runs(**asked) if is_valid else [],
            "cron_expression": text and text.expression,
            "read_as": text and text.read_as,
        }
        return Response(CronValidationSerializer(answer).data)


def _stored_cron(draft: Draft) -> dict[str, str | None]:
    is_cron = draft.trigger.schedule_type == ScheduleType.CRON
    expression = draft.trigger.cron_expression if is_cron else None
    return {"cron_expression": expression, "read_as": draft.read_as}


def _list_next_runs(*, cron_expression: str, timezone: str) -> list[datetime]:
    now = datetime.now(UTC)
    schedule = build_schedule(
        "cron",
        config={},
        cron_expression=cron_expression,
        timezone=timezone,
        anchor=now,
    )
    return occurrences(schedule, now, limit=RUNS_SHOWN)
