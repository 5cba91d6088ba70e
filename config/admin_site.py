"""The admin site: the dashboard, the page of internal tables, and the redirects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from access.pages import OwnPasswordChangeView, sessions_page
from config.navigation import administers

INTERNAL_TABLES = (
    ("Inbox", "events.inbox", "Events that wait to be processed."),
    ("Pending fetches", "webhooks.pendingfetch", "Requests of workers to senders."),
    ("Rejections", "webhooks.rejection", "Samples of refused webhook requests."),
    ("Webhook type versions", "webhooks.webhooktypeversion", "Each uploaded version."),
    ("Schedule versions", "triggers.scheduleversion", "Which schedule applied when."),
    ("Statistics", "triggers.triggerstats", "Totals of each trigger."),
    ("Uncounted statistics", "triggers.statsdelta", "Results not yet in the totals."),
    ("Subscriptions", "triggers.subscription", "Which trigger awaits which events."),
    ("Evaluation traces", "executions.executiontrace", "How conditions evaluated."),
    ("Drain leases", "executions.drainlease", "Batches that workers process now."),
    ("Workers", "agents.worker", "Worker processes and their heartbeats."),
    ("Periodic tasks", "django_celery_beat.periodictask", "What Celery beat starts."),
    ("Crontabs", "django_celery_beat.crontabschedule", "Schedules of Celery beat."),
    ("Intervals", "django_celery_beat.intervalschedule", "Schedules of Celery beat."),
    ("Clocked", "django_celery_beat.clockedschedule", "Schedules of Celery beat."),
    ("Solar events", "django_celery_beat.solarschedule", "Schedules of Celery beat."),
    ("Celery results", "django_celery_results.taskresult", "Results of agents."),
)  # fmt: skip


class TickhookAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    index_template = "admin/tickhook/dashboard.html"
    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        """Return the URLs that Django's site lacks, or opens to staff only."""
        return [
            path("internals/", self.admin_view(self.internals), name="internals"),
            path(
                "password_change/",
                _for_every_login(self.password_change),
                name="password_change",
            ),
            path("sessions/", _for_every_login(self.sessions), name="sessions"),
        ]

    def app_index(
        self,
        request: HttpRequest,
        app_label: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Redirect to the dashboard: an app means something to developers only."""
        if not administers(request):
            return redirect("admin:index")
        response: HttpResponse = super().app_index(request, app_label, extra_context)
        return response

    def internals(self, request: HttpRequest) -> HttpResponse:
        if not administers(request):
            raise PermissionDenied
        context = {
            **self.each_context(request),
            "title": "Internals",
            "tables": [
                {
                    "title": title,
                    "url": f"admin:{model.replace('.', '_')}_changelist",
                    "text": text,
                }
                for title, model, text in INTERNAL_TABLES
                if self.is_registered(apps.get_model(model))
            ],
            "flower_port": settings.FLOWER_PORT,
        }
        return TemplateResponse(request, "admin/tickhook/internals.html", context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        context = {**self._context_of_own(request), **(extra_context or {})}
        view = OwnPasswordChangeView.as_view(
            success_url=reverse("admin:sessions"), extra_context=context
        )
        return view(request)

    def sessions(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101 - the view needs a login
        context = {**self._context_of_own(request), "title": "Your sessions"}
        return sessions_page(request, request.user, context)

    def _context_of_own(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of a person's own pages, without a side bar if not staff.

        unfold shows the title only with "has_permission".
        """
        is_staff = self.has_permission(request)
        context = {"has_permission": True, "is_nav_sidebar_enabled": is_staff}
        return {**self.each_context(request), **context}


def _for_every_login(
    view: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    return login_required(never_cache(view), login_url="admin:login")
