from __future__ import annotations

import hashlib
from threading import Lock
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.encoding import force_bytes
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_rendered: dict[type[BaseRenderer], bytes] = {}
_lock = Lock()


class CachedSchemaView(SpectacularAPIView):
    """The OpenAPI schema, built once in each process: building takes 0.1 s of CPU.

    It depends on the format and on nothing else of a request: `lang` and `version` are
    ignored. DRF checks permissions before this, as the settings say.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        renderer = request.accepted_renderer
        content = self._content(request, renderer)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        response = get_conditional_response(request._request, etag=etag)
        if response is None:
            name = f"{spectacular_settings.TITLE}.{renderer.format}"
            headers = {
                "Content-Disposition": f'inline; filename="{name}"',
                "ETag": etag,
            }
            response = HttpResponse(
                content, content_type=renderer.media_type, headers=headers
            )
        patch_vary_headers(response, ["Accept"])
        return response

    def _content(self, request: Request, renderer: BaseRenderer) -> bytes:
        kind = type(renderer)
        with _lock:
            if kind not in _rendered:
                generator: Any = self.generator_class()
                schema = generator.get_schema(request=request, public=True)
                content = renderer.render(schema, renderer.media_type, {})
                _rendered[kind] = force_bytes(content)
            return _rendered[kind]
