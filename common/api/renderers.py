from __future__ import annotations

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer


class RawBytesRenderer(JSONRenderer):
    """Lets a client ask for `application/octet-stream`; only errors are rendered."""

    media_type = "application/octet-stream"
    format = "bin"


class BrowsablePages(BrowsableAPIRenderer):
    """The browsable API without scripts within its pages."""

    template = "tickhook/api.html"
