from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.callers import caller_of
from access.policy import Act, visible
from common.api.serializers import JSONObjectField, StrictSerializer
from common.api.views import StrictAPIView
from common.errors import Fault, InvalidInput
from webhooks import types
from webhooks.access import VIEW_TYPE, WEBHOOK_TYPES
from webhooks.models import WebhookEndpoint, WebhookType
from webhooks.types import UploadedType


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
    """A request as a sender would send it."""

    headers = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=8192), default=dict
    )
    body = AnyJSONField(default=None, allow_null=True)
    query = JSONObjectField(default=dict)
    config = JSONObjectField(default=dict)


class RequestFaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


@extend_schema_serializer(component_name="Trial")
class TypePreviewSerializer(serializers.Serializer[Any]):
    webhook_type = serializers.CharField(read_only=True)
    is_valid = serializers.BooleanField(read_only=True)  # type: ignore[assignment]  # see above
    parsed_data = JSONObjectField(read_only=True)
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

    def get_schema_valid(self, preview: Any) -> bool:
        return not preview.schema_faults


UPLOAD = extend_schema(
    request=OpenApiTypes.OBJECT,
    responses={200: UploadedTypeSerializer, 201: UploadedTypeSerializer},
)


class WebhookTypeViewSet(StrictAPIView, GenericViewSet[WebhookType]):
    """Descriptions of senders: the shipped types and the uploaded types."""

    acts: ClassVar[Mapping[str, Act]] = {
        **WEBHOOK_TYPES,
        "versions": VIEW_TYPE,
        "version": VIEW_TYPE,
        "preview": VIEW_TYPE,
    }
    queryset = WebhookType.objects.all()
    serializer_class = TypeSummarySerializer
    filter_backends = ()
    lookup_field = "slug"
    lookup_value_converter = "slug"

    def list(self, request: Request) -> Response:
        # The paginator slices a list like a queryset, so only this page is looked up.
        slugs: Any = types.known_slugs()
        page = self.paginate_queryset(slugs) or []
        endpoints = visible(WebhookEndpoint.objects.all(), caller_of(request))
        summaries = types.summarize_types(page, endpoints)
        shown = TypeSummarySerializer(summaries, many=True)
        return self.get_paginated_response(shown.data)

    @extend_schema(responses=CurrentTypeSerializer)
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(CurrentTypeSerializer(types.current_type(slug)).data)

    @UPLOAD
    def create(self, request: Request) -> Response:
        """Upload a type; the document names its slug in `slug` or `webhook_type`."""
        uploaded = _upload(request)
        return _respond(request, uploaded, f"{request.path}/{uploaded.slug}")

    @UPLOAD
    def update(self, request: Request, slug: str) -> Response:
        """Upload a type under this slug; it replaces the current one."""
        return _respond(request, _upload(request, slug), request.path.lower())

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: UploadedTypeSerializer})
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change the given fields of a type; null removes a field."""
        patched = types.patch_type(
            document=_document(request), slug=slug, **_uploader(request)
        )
        return Response(UploadedTypeSerializer(patched).data)

    @extend_schema(responses={200: DeletedTypeSerializer})
    def destroy(self, request: Request, slug: str) -> Response:
        types.delete_type(slug=slug)
        deleted = {"status": "success", "webhook_type": slug.lower()}
        return Response(DeletedTypeSerializer(deleted).data)

    @extend_schema(responses=TypeVersionSerializer(many=True))
    @action(detail=True)
    def versions(self, request: Request, slug: str) -> Response:
        """List the versions that were uploaded under this slug, the latest first.

        The versions of a deleted type are kept; upload one again to restore the type.
        """
        rows: Any = types.list_versions(slug).defer("document")  # of another model
        page = self.paginate_queryset(rows)
        shown = TypeVersionSerializer(page, many=True)
        return self.get_paginated_response(shown.data)

    @extend_schema(responses=WholeVersionSerializer)
    @action(detail=True, url_path="versions/<int:number>", url_name="version")
    def version(self, request: Request, slug: str, number: int) -> Response:
        shown = WholeVersionSerializer(types.get_version(slug, number))
        return Response(shown.data)

    @extend_schema(request=TryRequestSerializer, responses=TypePreviewSerializer)
    @action(detail=True, methods=["post"], url_path="try", url_name="try")
    def preview(self, request: Request, slug: str) -> Response:
        """Return what the type extracts from a request; nothing is stored."""
        serializer = TryRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        preview = types.preview_type(slug=slug, **serializer.validated_data)
        return Response(TypePreviewSerializer(preview).data)


def _upload(request: Request, slug: str | None = None) -> UploadedType:
    return types.upload_type(
        document=_document(request), slug=slug, **_uploader(request)
    )


def _uploader(request: Request) -> dict[str, Any]:
    """Return who uploads a type, and whether it may name hosts to fetch from."""
    may_fetch = caller_of(request).administers
    return {"by": request.user.get_username(), "may_fetch": may_fetch}


def _respond(request: Request, uploaded: UploadedType, path: str) -> Response:
    shown = UploadedTypeSerializer(uploaded).data
    if not uploaded.is_new:
        return Response(shown)
    headers = {"Location": request.build_absolute_uri(path)}
    return Response(shown, status=status.HTTP_201_CREATED, headers=headers)


def _document(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.data, Mapping):
        detail = "A webhook type must be a JSON object"
        raise InvalidInput(detail, faults=[Fault("", detail)])
    return request.data
