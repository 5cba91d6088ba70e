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

from common.api.defaults import ChangePermissions, ModelPermissions
from triggers.api.filters import TriggerFilter
from triggers.api.permissions import AgentPermission
from triggers.api.reading import complete_webhook, read_trigger
from triggers.api.serializers import TriggerSerializer
from triggers.models import Trigger
from triggers.selectors import shown_triggers
from triggers.services import lifecycle


class TriggerViewSet(GenericViewSet[Trigger]):
    serializer_class = TriggerSerializer
    filterset_class = TriggerFilter
    permission_classes = (ModelPermissions, AgentPermission)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Trigger]:
        return shown_triggers()

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self._answer(pk)

    def create(self, request: Request) -> Response:
        given = read_trigger(self._serializer(data=request.data))
        saved = lifecycle.create_trigger(
            fields=given.columns,
            event_types=given.event_types or (),
            webhook=given.webhook,
            created_by=request.user.get_username(),
        )
        answer = self._answer(saved.trigger.id, saved.webhook_secret)
        answer.status_code = status.HTTP_201_CREATED
        answer["Location"] = request.build_absolute_uri(
            f"{request.path}/{saved.trigger.id}"
        )
        return answer

    def update(self, request: Request, pk: UUID) -> Response:
        """Change all of a trigger: what is left out goes back to its default.

        The same goes for its endpoint, unless that serves other triggers as well.
        """
        trigger = self._find(pk)
        given = read_trigger(self._serializer(trigger, data=request.data))
        saved = lifecycle.update_trigger(
            trigger_id=pk,
            fields=given.columns,
            event_types=given.event_types,
            webhook=complete_webhook(given, trigger),
        )
        return self._answer(pk, saved.webhook_secret)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        trigger = self._find(pk)
        serializer = self._serializer(trigger, data=request.data, partial=True)
        given = read_trigger(serializer)
        saved = lifecycle.update_trigger(
            trigger_id=pk,
            fields=given.columns,
            event_types=given.event_types,
            webhook=given.webhook,
        )
        return self._answer(pk, saved.webhook_secret)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Delete a trigger; like disabling it, that needs no access to its agent."""
        lifecycle.delete_trigger(trigger_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    @action(
        detail=True,
        methods=["post"],
        permission_classes=(ChangePermissions, AgentPermission),
    )
    def enable(self, request: Request, pk: UUID) -> Response:
        lifecycle.enable_trigger(trigger_id=self._find(pk).id)
        return self._answer(pk)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], permission_classes=(ChangePermissions,))
    def disable(self, request: Request, pk: UUID) -> Response:
        lifecycle.disable_trigger(trigger_id=pk)
        return self._answer(pk)

    def _find(self, pk: UUID) -> Trigger:
        trigger = self.get_queryset().filter(pk=pk).first()
        if trigger is None:
            raise lifecycle.TriggerNotFound
        self.check_object_permissions(self.request, trigger)
        return trigger

    def _serializer(
        self, trigger: Trigger | None = None, **options: Any
    ) -> TriggerSerializer:
        context = self.get_serializer_context()
        return TriggerSerializer(trigger, context=context, **options)

    def _answer(self, pk: UUID, secret: str | None = None) -> Response:
        """Answer with the trigger as stored; a secret that was just set is shown."""
        context = {**self.get_serializer_context(), "webhook_secret": secret}
        return Response(TriggerSerializer(self._find(pk), context=context).data)
