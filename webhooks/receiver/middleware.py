from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse

from webhooks.receiver.view import WebhookView

PREFIX = "/webhooks/"


class StraightToTheDoor:
    """Lead webhooks past what only people need: sessions, accounts, CSRF, pages.

    That is a quarter of what a delivery costs. The URL configuration knows the same
    view, for whoever resolves or reverses its path.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._receive = WebhookView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(PREFIX) or path == PREFIX:
            return self._get_response(request)
        response = self._receive(request, webhook_id=path.removeprefix(PREFIX))
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        return response
