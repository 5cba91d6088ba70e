from __future__ import annotations

from django.urls import path

from webhooks.door.views import WebhookView
from webhooks.inspectors.views import InspectorView

urlpatterns = [
    path("webhook-tests/<str:token>", InspectorView.as_view(), name="webhook-test"),
    path("webhooks/<path:webhook_id>", WebhookView.as_view(), name="webhook"),
]
