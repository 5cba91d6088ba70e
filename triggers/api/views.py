from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from triggers.api.filters import TriggerFilter
from triggers.api.serializers import COLUMNS_OF_ENDPOINT, TriggerSerializer
from triggers.models import Trigger
from triggers.services import lifecycle
from webhooks.services.endpoints import update_endpoint


class TriggerViewSet(GenericViewSet[Trigger]):
    serializer_class = TriggerSerializer
    filterset_class = TriggerFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Trigger]:
        rows = Trigger.objects.present().select_related("agent", "endpoint", "stats")
        return rows.defer("agent__config").prefetch_related(
            "subscriptions", "endpoint__triggers"
        )

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self._answer(pk)

    def create(self, request: Request) -> Response:
        columns, webhook, event_types = self._read(request)
        created = lifecycle.create_trigger(
            fields=columns,
            event_types=event_types or (),
            webhook=webhook,
            created_by=request.user.get_username(),
        )
        answer = self._answer(created.trigger.id, created.webhook_secret)
        answer.status_code = status.HTTP_201_CREATED
        answer["Location"] = request.build_absolute_uri(
            f"{request.path}/{created.trigger.id}"
        )
        return answer

    def update(self, request: Request, pk: UUID) -> Response:
        return self._change(request, pk, partial=False)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        return self._change(request, pk, partial=True)

    def destroy(self, request: Request, pk: UUID) -> Response:
        lifecycle.delete_trigger(trigger_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: UUID) -> Response:
        lifecycle.enable_trigger(trigger_id=pk)
        return self._answer(pk)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: UUID) -> Response:
        lifecycle.disable_trigger(trigger_id=pk)
        return self._answer(pk)

    def _change(self, request: Request, pk: UUID, *, partial: bool) -> Response:
        trigger = self._find(pk)
        columns, webhook, event_types = self._read(request, partial=partial)
        if webhook and trigger.endpoint is not None:
            update_endpoint(endpoint_id=trigger.endpoint.id, **webhook)
        lifecycle.update_trigger(trigger_id=pk, fields=columns, event_types=event_types)
        return self._answer(pk)

    def _read(
        self, request: Request, *, partial: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any], list[str] | None]:
        """Part a valid body into trigger columns, endpoint columns and patterns."""
        serializer = self.get_serializer(data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        columns = dict(serializer.validated_data)
        webhook = {
            column: columns.pop(name)
            for name, column in COLUMNS_OF_ENDPOINT.items()
            if name in columns
        }
        return columns, webhook, columns.pop("event_types", None)

    def _find(self, pk: UUID) -> Trigger:
        trigger = self.get_queryset().filter(pk=pk).first()
        if trigger is None:
            raise lifecycle.TriggerNotFound
        return trigger

    def _answer(self, pk: UUID, secret: str | None = None) -> Response:
        context = {**self.get_serializer_context(), "webhook_secret": secret}
        return Response(TriggerSerializer(self._find(pk), context=context).data)
