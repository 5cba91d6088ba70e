from __future__ import annotations

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.naive.models import Hook
from benchmarks.naive.tasks import process_hook


class HookView(APIView):
    """Saves the request as one row and leaves the rest to a Celery task."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        hook = Hook.objects.create(payload=request.data, headers=dict(request.headers))
        process_hook.delay(hook.pk)
        return Response({"status": "accepted", "id": hook.pk})
