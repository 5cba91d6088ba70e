from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.metadata import SimpleMetadata
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView


class ViewMetadata(SimpleMetadata):
    """What OPTIONS answers; without fields where a view has no serializer of its own.

    A view whose actions each take another body has none: `/api/schema` describes them.
    """

    def determine_metadata(self, request: Request, view: APIView) -> dict[str, Any]:
        """Describe a resource; raise MethodNotAllowed for a page, which is none."""
        if isinstance(request.accepted_renderer, TemplateHTMLRenderer):
            raise MethodNotAllowed(str(request.method))
        described: dict[str, Any] = super().determine_metadata(request, view)
        return described

    def determine_actions(self, request: Request, view: APIView) -> dict[str, Any]:
        # DRF reads this class while it defines its views.
        from rest_framework.generics import GenericAPIView

        assert isinstance(view, GenericAPIView)  # noqa: S101 - it has a serializer
        chooses = type(view).get_serializer_class
        is_default = chooses is GenericAPIView.get_serializer_class
        if is_default and view.serializer_class is None:
            return {}
        return super().determine_actions(request, view)
