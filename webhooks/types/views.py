from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from common.api.permissions import AskPermissions
from common.errors import Fault, InvalidInput
from webhooks import types
from webhooks.models import WebhookType
from webhooks.types import UploadedType
from webhooks.types.serializers import (
    CurrentTypeSerializer,
    DeletedTypeSerializer,
    TrialSerializer,
    TryRequestSerializer,
    TypeSummarySerializer,
    TypeVersionSerializer,
    UploadedTypeSerializer,
    WholeVersionSerializer,
)

UPLOAD = extend_schema(
    request=OpenApiTypes.OBJECT,
    responses={200: UploadedTypeSerializer, 201: UploadedTypeSerializer},
)


class WebhookTypeViewSet(GenericViewSet[WebhookType]):
    """Descriptions of senders: the shipped ones, and those that were uploaded."""

    queryset = WebhookType.objects.all()
    serializer_class = TypeSummarySerializer
    filter_backends = ()
    lookup_field = "slug"
    lookup_value_converter = "slug"

    def list(self, request: Request) -> Response:
        # A list of slugs is paged as a queryset is; only this page's are looked up.
        slugs: Any = types.known_slugs()
        summaries = types.summaries_of(self.paginate_queryset(slugs) or [])
        shown = TypeSummarySerializer(summaries, many=True)
        return self.get_paginated_response(shown.data)

    @extend_schema(responses=CurrentTypeSerializer)
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(CurrentTypeSerializer(types.current_type(slug)).data)

    @UPLOAD
    def create(self, request: Request) -> Response:
        """Upload a type; its slug is `slug` or `webhook_type` of the document."""
        uploaded = _upload(request)
        return _answer(request, uploaded, f"{request.path}/{uploaded.slug}")

    @UPLOAD
    def update(self, request: Request, slug: str) -> Response:
        """Upload a type under this slug, in place of the present one."""
        return _answer(request, _upload(request, slug), request.path.lower())

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: UploadedTypeSerializer})
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change the given fields of a type; null takes a field away."""
        by = request.user.get_username()
        patched = types.patch_type(document=_document(request), slug=slug, by=by)
        return Response(UploadedTypeSerializer(patched).data)

    @extend_schema(responses={200: DeletedTypeSerializer})
    def destroy(self, request: Request, slug: str) -> Response:
        types.delete_type(slug=slug)
        told = {"status": "success", "webhook_type": slug.lower()}
        return Response(DeletedTypeSerializer(told).data)

    @extend_schema(responses=TypeVersionSerializer(many=True))
    @action(detail=True)
    def versions(self, request: Request, slug: str) -> Response:
        """List all that was uploaded under this slug, the latest first.

        The versions of a deleted type are still there: to upload one brings it back.
        """
        rows: Any = types.versions_of(slug).defer("document")  # of another model
        page = self.paginate_queryset(rows)
        shown = TypeVersionSerializer(page, many=True)
        return self.get_paginated_response(shown.data)

    @extend_schema(responses=WholeVersionSerializer)
    @action(detail=True, url_path="versions/<int:number>", url_name="version")
    def version(self, request: Request, slug: str, number: int) -> Response:
        shown = WholeVersionSerializer(types.version_of(slug, number))
        return Response(shown.data)

    @extend_schema(request=TryRequestSerializer, responses=TrialSerializer)
    @action(
        detail=True,
        methods=["post"],
        url_path="try",
        url_name="try",
        permission_classes=(AskPermissions,),
    )
    def attempt(self, request: Request, slug: str) -> Response:
        """Say what the type would make of a request; nothing is stored."""
        serializer = TryRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        trial = types.try_type(slug=slug, **serializer.validated_data)
        return Response(TrialSerializer(trial).data)


def _upload(request: Request, slug: str | None = None) -> UploadedType:
    by = request.user.get_username()
    return types.upload_type(document=_document(request), slug=slug, by=by)


def _answer(request: Request, uploaded: UploadedType, path: str) -> Response:
    shown = UploadedTypeSerializer(uploaded).data
    if not uploaded.is_new:
        return Response(shown)
    headers = {"Location": request.build_absolute_uri(path)}
    return Response(shown, status=status.HTTP_201_CREATED, headers=headers)


def _document(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.data, Mapping):
        detail = "A webhook type is a JSON object"
        raise InvalidInput(detail, faults=[Fault("", detail)])
    return request.data
