from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.defaults import ChangePermissions
from executions.api.ledger_serializers import (
    AuditQuerySerializer,
    BackfillRequestSerializer,
    BackfillSerializer,
    HealthSerializer,
    LedgerSerializer,
    TriggerStatusSerializer,
)
from executions.api.serializers import VIEW_EXECUTIONS
from executions.api.views import find_trigger
from executions.models import TriggerExecution
from executions.services.audit.ledger import audit_trigger
from executions.services.backfill import backfill_trigger
from executions.services.health import check_health
from executions.services.status import read_status
from triggers.api.permissions import AgentPermission
from triggers.models import Trigger


class AuditView(APIView):
    """What became of each occurrence that a trigger's schedule had."""

    queryset = TriggerExecution.objects.all()

    @extend_schema(parameters=[AuditQuerySerializer], responses={200: LedgerSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        query = AuditQuerySerializer(data=_without_format(request))
        query.is_valid(raise_exception=True)
        ledger = audit_trigger(trigger_id=pk, **query.validated_data)
        return Response(LedgerSerializer(ledger).data)


class BackfillView(APIView):
    """Run occurrences of the past that never got an event."""

    queryset = Trigger.objects.all()
    permission_classes = (ChangePermissions, AgentPermission)

    @extend_schema(
        request=BackfillRequestSerializer,
        responses={200: BackfillSerializer, 202: BackfillSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Answer 202 with what was recorded; a dry run 200 with what would be."""
        self.check_object_permissions(request, find_trigger(pk))
        body = BackfillRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        backfill = backfill_trigger(trigger_id=pk, **body.validated_data)
        code = status.HTTP_200_OK if backfill.dry_run else status.HTTP_202_ACCEPTED
        return Response(BackfillSerializer(backfill).data, status=code)


class TriggerStatusView(APIView):
    """How a trigger is doing; its errors are for those who may see executions."""

    queryset = Trigger.objects.all()

    @extend_schema(responses={200: TriggerStatusSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        state = read_status(trigger_id=pk)
        if not request.user.has_perm(VIEW_EXECUTIONS):
            state = replace(state, last_failure=None)
        return Response(TriggerStatusSerializer(state).data)


class TriggerHealthView(APIView):
    """Whether triggers come due in time: 503 while the clock stands still."""

    queryset = Trigger.objects.all()

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        health = check_health()
        return Response(
            HealthSerializer(health).data, status=200 if health.is_healthy else 503
        )


def _without_format(request: Request) -> dict[str, Any]:
    """Return a query without what chooses the form of the answer."""
    query = request.query_params.items()
    return {name: value for name, value in query if name != "format"}
