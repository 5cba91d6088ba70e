"""Questions about schedules; nothing is read from the database, nothing stored."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from common.api.defaults import ReadPermissions
from common.errors import NotFound
from triggers.api.cron_serializers import (
    BuiltCronSerializer,
    CronPartsSerializer,
    CronPresetSerializer,
)
from triggers.api.schedule_reading import read_schedule
from triggers.api.schedule_serializers import (
    ScheduleDescriptionSerializer,
    SchedulePreviewSerializer,
    ScheduleSerializer,
    ScheduleVerdictSerializer,
)
from triggers.models import Trigger
from triggers.schedules import (
    InvalidSchedule,
    build_cron,
    get_preset,
    list_presets,
    validate_cron,
)
from triggers.schedules.presets import describe_cron


class PresetNotFound(NotFound):
    """There is no preset of this name."""


class ScheduleViewSet(GenericViewSet[Trigger]):
    queryset = Trigger.objects.all()  # never read: says who may ask
    permission_classes = (ReadPermissions,)

    @extend_schema(
        request=ScheduleSerializer, responses={200: SchedulePreviewSerializer}
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Show when a schedule comes due, without the jitter of a trigger.

        An interval is counted from `start_at`, else from `after`. `max_runs` bounds
        the list as if none had run yet.
        """
        draft = read_schedule(request.data)
        answer = {
            "description": draft.schedule.describe(),
            "occurrences": draft.list_occurrences(),
        }
        return Response(SchedulePreviewSerializer(answer).data)

    @extend_schema(
        request=ScheduleSerializer, responses={200: ScheduleDescriptionSerializer}
    )
    @action(detail=False, methods=["post"])
    def describe(self, request: Request) -> Response:
        """Say in plain words when a schedule comes due; takes what a preview takes."""
        draft = read_schedule(request.data)
        return Response({"description": draft.schedule.describe()})

    @extend_schema(
        request=ScheduleSerializer, responses={200: ScheduleVerdictSerializer}
    )
    @action(detail=False, methods=["post"])
    def validate(self, request: Request) -> Response:
        """Say whether a preview would be given, or all that stands in its way.

        What is wrong is no error here: the answer is always 200 if the body is JSON.
        """
        try:
            read_schedule(request.data)
        except InvalidSchedule as invalid:
            answer = {
                "valid": False,
                "message": invalid.detail,
                "errors": invalid.faults,
            }
        else:
            answer = {"valid": True, "message": "Valid schedule", "errors": []}
        return Response(ScheduleVerdictSerializer(answer).data)

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
        """Join the parts of a cron expression, and judge it."""
        serializer = CronPartsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        expression = build_cron(**serializer.validated_data)
        is_valid, message = validate_cron(expression)
        answer = {
            "cron_expression": expression,
            "description": describe_cron(expression),
            "valid": is_valid,
            "message": message,
        }
        return Response(answer)
