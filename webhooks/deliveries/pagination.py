from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property
from rest_framework.response import Response

from common.api.pagination import PageNumberPagination

MAX_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # Django's is not generic
    """Counts no further than 10,000: a count over millions takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MAX_COUNTED + 1].count())


class BoundedPagination(PageNumberPagination):
    """Pages of what may be millions: `at_least` says that counting was given up.

    What lies further back is reached by `end_date`.
    """

    django_paginator_class = BoundedPaginator

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        at_least = response.data["total_count"] > MAX_COUNTED
        if at_least:
            response.data |= {"total_count": MAX_COUNTED, "total": MAX_COUNTED}
        response.data["at_least"] = at_least
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"]["at_least"] = {"type": "boolean"}
        described["required"] = list(described["properties"])
        return described
