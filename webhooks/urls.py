from __future__ import annotations

from django.urls import path

from webhooks.inspectors.views import InspectorView
from webhooks.receiver.view import WebhookView

urlpatterns = [
    path("webhook-tests/<str:token>", InspectorView.as_view(), name="webhook-test"),
    path("webhook-tests/<str:token>/", InspectorView.as_view()),
    path("webhooks/<path:webhook_id>", WebhookView.as_view(), name="webhook"),
]
