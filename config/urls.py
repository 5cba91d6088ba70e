from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter

from access.api import ApiKeyViewSet
from access.audit.api import AuditLogView
from agents.api import AgentTaskViewSet, AgentViewSet
from common.api.errors import UnknownPathView
from common.api.openapi import CachedSchemaView
from common.api.views import RootView
from config.health import livez, readyz
from events.api import EventTypeViewSet
from executions.api.deliveries import DeliveriesWithExecutionsViewSet
from executions.api.views import (
    BackfillView,
    EventWithExecutionsViewSet,
    ExecutionsOfTriggerView,
    ExecutionViewSet,
    LedgerView,
    RunView,
    TriggerHealthView,
    TriggerStatusView,
)
from triggers.api.schedules import ScheduleViewSet, ValidateCronView
from triggers.api.views import TriggerViewSet
from triggers.api.webhooks import (
    RegenerateWebhookView,
    RevokeSecretView,
    RotateSecretView,
    WebhookUrlView,
)
from webhooks.inspectors.views import InspectorOfTokenView, InspectorsView
from webhooks.types.api import WebhookTypeViewSet

router = DefaultRouter(trailing_slash=False, use_regex_path=False)
router.include_format_suffixes = False
router.APIRootView = RootView
router.register("keys", ApiKeyViewSet, basename="key")
router.register("agents", AgentViewSet, basename="agent")
router.register("tasks", AgentTaskViewSet, basename="task")
router.register("event-types", EventTypeViewSet, basename="event-type")
router.register("events", EventWithExecutionsViewSet, basename="event")
router.register("deliveries", DeliveriesWithExecutionsViewSet, basename="delivery")
router.register("triggers", TriggerViewSet, basename="trigger")
router.register("schedules", ScheduleViewSet, basename="schedule")
router.register("webhook-types", WebhookTypeViewSet, basename="webhook-type")
router.register("executions", ExecutionViewSet, basename="execution")

api_urlpatterns = [
    path(
        "triggers/validate-cron",
        ValidateCronView.as_view(),
        name="trigger-validate-cron",
    ),
    path("triggers/health", TriggerHealthView.as_view(), name="trigger-health"),
    path("triggers/<uuid:pk>/audit", LedgerView.as_view(), name="trigger-audit"),
    path(
        "triggers/<uuid:pk>/backfill", BackfillView.as_view(), name="trigger-backfill"
    ),
    path(
        "triggers/<uuid:pk>/status", TriggerStatusView.as_view(), name="trigger-status"
    ),
    path("triggers/<uuid:pk>/run", RunView.as_view(), name="trigger-run"),
    path(
        "triggers/<uuid:pk>/executions",
        ExecutionsOfTriggerView.as_view(),
        name="trigger-executions",
    ),
    path(
        "triggers/<uuid:pk>/webhook-url",
        WebhookUrlView.as_view(),
        name="trigger-webhook-url",
    ),
    path(
        "triggers/<uuid:pk>/regenerate-webhook",
        RegenerateWebhookView.as_view(),
        name="trigger-regenerate-webhook",
    ),
    path(
        "triggers/<uuid:pk>/rotate-secret",
        RotateSecretView.as_view(),
        name="trigger-rotate-secret",
    ),
    path(
        "triggers/<uuid:pk>/revoke-secret",
        RevokeSecretView.as_view(),
        name="trigger-revoke-secret",
    ),
    path("audit-log", AuditLogView.as_view(), name="audit-log"),
    path("deliveries/inspectors", InspectorsView.as_view(), name="delivery-inspectors"),
    path(
        "deliveries/inspectors/<str:token>",
        InspectorOfTokenView.as_view(),
        name="delivery-inspector",
    ),
    path("auth/", include("rest_framework.urls")),
    *router.urls,
]


handler400 = "common.api.errors.bad_request"
handler403 = "common.api.errors.forbidden"
handler500 = "common.api.errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api_urlpatterns)),
    path("api/schema", CachedSchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(), name="docs"),
    path("api/v1", RedirectView.as_view(pattern_name="api-root")),
    path("api/<path:rest>", UnknownPathView.as_view()),
    path("livez", livez),
    path("readyz", readyz),
    path("", include("webhooks.urls")),
]
