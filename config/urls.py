from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from common.api.views import UnknownPathView
from config.health import livez, readyz
from config.schema import CachedSchemaView

handler400 = "common.error_pages.bad_request"
handler500 = "common.error_pages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    path("api/schema", CachedSchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(), name="docs"),
    path("api/v1", RedirectView.as_view(pattern_name="api-root")),
    path("api/<path:rest>", UnknownPathView.as_view()),
    path("livez", livez),
    path("readyz", readyz),
    path("", include("webhooks.urls")),
]
