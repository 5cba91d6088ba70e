from __future__ import annotations

from datetime import UTC, datetime

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.defaults import ReadPermissions
from triggers.api.cron_serializers import (
    CronQuestionSerializer,
    CronVerdictSerializer,
)
from triggers.models import Trigger
from triggers.schedules import build_schedule, occurrences, validate_cron

RUNS_SHOWN = 5


class ValidateCronView(APIView):
    queryset = Trigger.objects.all()  # never read: says who may ask
    permission_classes = (ReadPermissions,)

    @extend_schema(
        request=CronQuestionSerializer, responses={200: CronVerdictSerializer}
    )
    def post(self, request: Request) -> Response:
        """Judge a cron expression; show the next five runs, in UTC, of a valid one."""
        serializer = CronQuestionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        is_valid, message = validate_cron(asked["cron_expression"])
        runs = _next_runs(**asked) if is_valid else []
        answer = {"valid": is_valid, "message": message, "next_runs": runs}
        return Response(CronVerdictSerializer(answer).data)


def _next_runs(*, cron_expression: str, timezone: str) -> list[datetime]:
    now = datetime.now(UTC)
    schedule = build_schedule(
        "cron",
        config={},
        cron_expression=cron_expression,
        timezone=timezone,
        anchor=now,
    )
    return occurrences(schedule, now, limit=RUNS_SHOWN)
