from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from agents.api.views import AgentTaskViewSet, AgentViewSet
from events.api.views import EventTypeViewSet
from executions.api.ledger_views import (
    AuditView,
    BackfillView,
    TriggerHealthView,
    TriggerStatusView,
)
from executions.api.views import (
    EventWithExecutionsViewSet,
    ExecutionsOfTriggerView,
    ExecutionViewSet,
    RunView,
)
from triggers.api.schedules import ScheduleViewSet
from triggers.api.validate_cron import ValidateCronView
from triggers.api.views import TriggerViewSet
from webhooks.api.views import WebhookTypeViewSet

router = DefaultRouter(trailing_slash=False, use_regex_path=False)
router.include_format_suffixes = False
router.register("agents", AgentViewSet, basename="agent")
router.register("tasks", AgentTaskViewSet, basename="task")
router.register("event-types", EventTypeViewSet, basename="event-type")
router.register("events", EventWithExecutionsViewSet, basename="event")
router.register("triggers", TriggerViewSet, basename="trigger")
router.register("schedules", ScheduleViewSet, basename="schedule")
router.register("webhook-types", WebhookTypeViewSet, basename="webhook-type")
router.register("executions", ExecutionViewSet, basename="execution")

urlpatterns = [
    path(
        "triggers/validate-cron",
        ValidateCronView.as_view(),
        name="trigger-validate-cron",
    ),
    path("triggers/health", TriggerHealthView.as_view(), name="trigger-health"),
    path("triggers/<uuid:pk>/audit", AuditView.as_view(), name="trigger-audit"),
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
    path("auth/", include("rest_framework.urls")),
    *router.urls,
]
