from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from common.api.serializers import JSONObjectField, StrictSerializer


@extend_schema_field(OpenApiTypes.ANY)
class AnyJSONField(serializers.JSONField):
    """Any JSON value."""


class TypeSummarySerializer(serializers.Serializer[Any]):
    slug = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]  # DRF takes declared fields off the class
    version = serializers.IntegerField(read_only=True, allow_null=True)
    is_shipped_too = serializers.BooleanField(read_only=True)
    in_use = serializers.IntegerField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)


class TypeVersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)


class WholeVersionSerializer(TypeVersionSerializer):
    definition = JSONObjectField(source="document", read_only=True)


class CurrentTypeSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]  # DRF takes declared fields off the class
    version = serializers.IntegerField(read_only=True, allow_null=True)
    definition = JSONObjectField(source="document", read_only=True)


class UploadedTypeSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(default="success", read_only=True)
    webhook_type = serializers.CharField(source="slug", read_only=True)
    version = serializers.IntegerField(read_only=True)
    definition = JSONObjectField(source="document", read_only=True)


class DeletedTypeSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(read_only=True)
    webhook_type = serializers.CharField(read_only=True)


@extend_schema_serializer(component_name="Try")
class TryRequestSerializer(StrictSerializer):
    """A request as a sender would make it."""

    headers = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=8192), default=dict
    )
    body = AnyJSONField(default=None, allow_null=True)
    query = JSONObjectField(default=dict)
    config = JSONObjectField(default=dict)


class RequestFaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class TrialSerializer(serializers.Serializer[Any]):
    event_type = serializers.CharField(read_only=True)
    delivery_id = serializers.CharField(read_only=True, allow_null=True)
    body = AnyJSONField(read_only=True)
    schema_valid = serializers.SerializerMethodField()
    schema_errors = RequestFaultSerializer(
        source="schema_faults", many=True, read_only=True
    )
    config_errors = RequestFaultSerializer(
        source="config_faults", many=True, read_only=True
    )
    code = JSONObjectField(read_only=True)

    def get_schema_valid(self, trial: Any) -> bool:
        return not trial.schema_faults
