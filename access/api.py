"""API keys in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.access import OWN_KEYS
from access.callers import caller_of
from access.keys import create_key, revoke_key
from access.models import ApiKey
from access.policy import SCOPES, own_subject, visible
from common.api.serializers import StrictSerializer
from common.api.views import StrictAPIView
from common.errors import NotFound


class ApiKeyNotFound(NotFound):
    """There is no such API key."""

    code = "api_key_not_found"


class ApiKeySerializer(StrictSerializer):
    """An API key without its text; `owner` is the name of a user."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=30), max_length=len(SCOPES)
    )
    subject = serializers.CharField(default="", allow_blank=True, max_length=255)
    expires_at = serializers.DateTimeField(default=None, allow_null=True)
    prefix = serializers.CharField(read_only=True)
    owner = serializers.CharField(source="owner.username", read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)


class NewApiKeySerializer(ApiKeySerializer):
    """An API key with its text, which no other response shows."""

    key = serializers.SerializerMethodField()

    def get_key(self, row: ApiKey) -> str:
        text: str = self.context["text"]
        return text


class ApiKeyViewSet(StrictAPIView, GenericViewSet[ApiKey]):
    """The keys of the caller, and those of all users for administrators."""

    acts = {"list": OWN_KEYS, "create": OWN_KEYS, "destroy": OWN_KEYS}  # noqa: RUF012 - read only
    serializer_class = ApiKeySerializer
    lookup_value_converter = "uuid"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ApiKey]:
        keys = ApiKey.objects.filter(revoked_at=None).select_related("owner")
        return visible(keys, caller_of(self.request))

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        """Create a key of the caller; its text is shown this once."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields: dict[str, Any] = serializer.validated_data
        fields["subject"] = own_subject(caller_of(request), fields["subject"])
        assert isinstance(request.user, User)  # noqa: S101 - the permission checks it
        new = create_key(owner=request.user, **fields)
        context = {**self.get_serializer_context(), "text": new.text}
        location = request.build_absolute_uri(f"{request.path}/{new.row.id}")
        return Response(
            NewApiKeySerializer(new.row, context=context).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location},
        )

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Revoke a key; it stops working now."""
        key = self.get_queryset().filter(pk=pk).first()
        if key is None:
            raise ApiKeyNotFound
        revoke_key(key)
        return Response(status=status.HTTP_204_NO_CONTENT)
