from __future__ import annotations

from django.urls import path

from webhooks.door.views import WebhookView

urlpatterns = [
    path("webhooks/<path:webhook_id>", WebhookView.as_view(), name="webhook"),
]
