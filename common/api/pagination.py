from __future__ import annotations

from typing import Any

from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Fault, InvalidInput


class PageNumberPagination(pagination.PageNumberPagination):
    """Pages as the API's lists have them: `page`, `page_size` (50, at most 500)."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    results_key = "results"

    def get_page_size(self, request: Request) -> int:
        """Return the size asked for, at most 500; raise InvalidInput if it is none."""
        asked = request.query_params.get("page_size", str(self.page_size))
        if not (asked.isascii() and asked.isdecimal() and asked.strip("0")):
            detail = "page_size must be a whole number from 1 to 500"
            raise InvalidInput(detail, faults=[Fault("/page_size", detail)])
        is_short = len(asked.lstrip("0")) <= len(str(self.max_page_size))
        return min(int(asked), self.max_page_size) if is_short else self.max_page_size

    def get_paginated_response(self, data: Any) -> Response:
        assert self.page is not None  # noqa: S101 - DRF paginated before
        total = self.page.paginator.count
        return Response(
            {
                self.results_key: data,
                "total_count": total,
                "total": total,
                "page": self.page.number,
                "page_size": self.page.paginator.per_page,
                "has_next": self.page.has_next(),
                "has_previous": self.page.has_previous(),
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number, flag = {"type": "integer"}, {"type": "boolean"}
        properties = {
            self.results_key: schema,
            "total_count": number,
            "total": number,
            "page": number,
            "page_size": number,
            "has_next": flag,
            "has_previous": flag,
        }
        return {
            "type": "object",
            "required": list(properties),
            "properties": properties,
        }


class ExecutionPagination(PageNumberPagination):
    """The execution lists, whose key is `executions`."""

    results_key = "executions"
