from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import NotFound


class UnknownPathView(APIView):
    """Answers what is no address of the API, by any method, as the API does."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("The API has no such address")
