from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from access.actors import ActorKind
from access.audit.log import VIEW_AUDIT_LOG, by_actor, object_types
from access.callers import caller_of
from access.models import AuditLog
from access.policy import Act, visible
from common.api.lists import SinceFilter, UntilFilter
from common.api.views import StrictAPIView

CHANGES = ("created", "changed", "deleted")


class ObjectTypeFilter(filters.ChoiceFilter):
    """The kind of the changed object; the error for another word names the kinds."""

    def __init__(self, **kwargs: Any) -> None:
        names = object_types()
        unknown = f"Must be one of: {', '.join(names)}."
        super().__init__(
            choices=[(name, name) for name in names],
            error_messages={"invalid_choice": unknown},
            **kwargs,
        )


class AuditLogFilter(filters.FilterSet):
    object_type = ObjectTypeFilter()
    object_id = filters.CharFilter()
    actor = filters.CharFilter(
        method="of_actor", help_text="The name of a user or command, or a key's prefix."
    )
    start_date = SinceFilter("at")
    end_date = UntilFilter("at")

    class Meta:
        model = AuditLog
        fields = ()

    def of_actor(
        self, rows: QuerySet[AuditLog], name: str, value: str
    ) -> QuerySet[AuditLog]:
        return rows.filter(by_actor(value))


@extend_schema_field(OpenApiTypes.ANY)
class AnyValueField(serializers.JSONField):
    """Any JSON value."""


class ChangeSerializer(serializers.Serializer[Any]):
    """A changed column; of a secret, `old` and `new` are null."""

    field = serializers.CharField()
    old = AnyValueField(allow_null=True)
    new = AnyValueField(allow_null=True)
    is_secret = serializers.BooleanField()


class AuditLogSerializer(serializers.ModelSerializer[AuditLog]):
    object_type = serializers.CharField()
    change = serializers.ChoiceField(choices=CHANGES)
    actor_kind = serializers.ChoiceField(choices=list(ActorKind))
    changes = ChangeSerializer(many=True)

    class Meta:
        model = AuditLog
        fields = (
            "id", "at", "object_type", "object_id", "object_name", "change",
            "actor_kind", "actor_id", "actor", "key_prefix", "reason", "changes",
        )  # fmt: skip


class AuditLogView(StrictAPIView, ListAPIView[AuditLog]):
    """Who changed what: the changes of all kinds of objects, newest first."""

    acts = {"get": Act(VIEW_AUDIT_LOG, "system:read")}  # noqa: RUF012 - read only
    queryset = AuditLog.objects.all()
    serializer_class = AuditLogSerializer
    filterset_class = AuditLogFilter

    def get_queryset(self) -> QuerySet[AuditLog]:
        return visible(AuditLog.objects.all(), caller_of(self.request))
