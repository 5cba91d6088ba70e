from __future__ import annotations

import json
from collections.abc import Mapping, Set
from operator import itemgetter
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter

from access.admin.base import HistoryAdmin, VisibleRowsFilter
from access.callers import caller_of
from access.policy import may
from common.admin.columns import Words, WordsFilter
from common.admin.display import (
    NOTHING,
    json_block,
    link,
    list_link,
    page_link,
    text_block,
)
from common.errors import TickhookError
from common.wording import bytes_text
from webhooks.access import REDELIVER
from webhooks.admin.inspectors import inspector_urls
from webhooks.deliveries.redelivery import (
    MAX_REDELIVERED,
    redeliver,
    redeliver_many,
    select_accepted,
)
from webhooks.deliveries.selectors import (
    body_of,
    decompressed,
    load_definitions,
    redeliveries_of,
    request_of,
    status_of,
)
from webhooks.models import Delivery
from webhooks.rejections.fixes import how_to_fix
from webhooks.wording import CAUSES, DELIVERY_OUTCOMES

MAX_SHOWN_BYTES = 20_000
NOT_ALLOWED = "The event would go to agents that you are not allowed to use"


class CauseFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """Filters by the reason why a delivery was not accepted."""

    title = "cause"
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(CAUSES.items(), key=itemgetter(1))

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Delivery]
    ) -> QuerySet[Delivery]:
        cause = self.value()
        return queryset.filter(cause=cause) if cause else queryset


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    words: ClassVar[Mapping[str, Words]] = {
        "outcome": DELIVERY_OUTCOMES,
        "cause": CAUSES,
    }
    id_search_fields = ("pk", "endpoint_id", "event_id", "replay_of")
    time_column = "received_at"
    empty_text = "Nothing has arrived yet. Each request of a sender appears here."
    list_display = (
        "received_at", "outcome", "cause", "event_type", "endpoint_link", "size",
        "redelivery",
    )  # fmt: skip
    list_filter = (
        ("outcome", WordsFilter),
        CauseFilter,
        ("endpoint", VisibleRowsFilter),
        ("received_at", RangeDateTimeFilter),
    )
    list_select_related = ("endpoint",)
    search_fields = ("delivery_id__exact", "event_type__startswith")
    search_help_text = "A delivery id, the start of an event type, or any id"
    ordering = ("-id",)
    payload_fields = ("headers_json", "query_json", "body_text", "body_file")
    actions = ("redeliver",)
    change_form_outer_before_template = "admin/tickhook/delivery_actions.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "outcome", "received_at", "endpoint_link", "event_type",
                    "event_link", "executions", "redelivery", "redelivered_as",
                )
            },
        ),
        ("Answer", {"fields": ("status_sent", "cause", "detail", "suggested_fix")}),
        (
            "Request",
            {"fields": ("method_sent", "address", "headers_json", "query_json")},
        ),
        ("Body", {"fields": ("size", "body_text", "body_file")}),
        ("Facts", {"fields": ("id", "delivery_id")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        heavy = ("body", "endpoint__secrets", "endpoint__config")
        return super().get_queryset(request).defer(*heavy)

    def title_of(self, row: Delivery) -> str:
        outcome = DELIVERY_OUTCOMES[row.outcome].word
        return str(row) if row.event_type else f"{outcome} {row}"

    def get_urls(self) -> list[URLPattern]:
        return [*inspector_urls(self), *super().get_urls()]

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return may(caller_of(request), REDELIVER)

    def closed_endpoints(
        self, request: HttpRequest, endpoint_ids: Set[UUID | None]
    ) -> Set[UUID | None]:
        """Return those endpoints to which the user may not deliver."""
        return set()

    @admin.action(description="Redeliver", permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        selected = list(queryset[:2])
        try:
            if len(selected) > 1:
                self._redeliver_many(request, queryset)
            elif selected and self._is_allowed(request, {selected[0].endpoint_id}):
                event_id = redeliver(delivery=selected[0]).event_id
                new = page_link("webhooks_delivery", event_id, "a new event")
                messages.success(request, format_html("Redelivered as {}.", new))
        except TickhookError as error:
            messages.error(request, error.detail)

    def _redeliver_many(
        self, request: HttpRequest, queryset: QuerySet[Delivery]
    ) -> None:
        selection = select_accepted(deliveries=queryset, limit=MAX_REDELIVERED)
        endpoint_ids = set(selection.endpoints.values())
        chosen = selection.without(self.closed_endpoints(request, endpoint_ids))
        done = redeliver_many(delivery_ids=chosen)
        text = f"{len(done)} accepted deliveries were redelivered."
        messages.success(request, text)
        if left_out := len(selection.endpoints) - len(chosen):
            text = f"{left_out} were left out: {NOT_ALLOWED.lower()}."
            messages.warning(request, text)
        if selection.next_from:
            start = f"{selection.next_from:%Y-%m-%d %H:%M:%S} UTC"
            text = f"The limit was reached; the remaining deliveries start at {start}."
            messages.warning(request, text)

    def _is_allowed(self, request: HttpRequest, endpoint_ids: Set[UUID | None]) -> bool:
        is_closed = bool(self.closed_endpoints(request, endpoint_ids))
        if is_closed:
            messages.error(request, NOT_ALLOWED)
        return not is_closed

    @admin.display(description="Webhook")
    def endpoint_link(self, delivery: Delivery) -> SafeString:
        model = "webhooks_webhookendpoint"
        name = delivery.endpoint and delivery.endpoint.type
        return page_link(model, delivery.endpoint_id, name)

    @admin.display(description="Size")
    def size(self, delivery: Delivery) -> str:
        size = delivery.body_size
        return NOTHING if size is None else bytes_text(size)

    @admin.display(description="Redelivery of")
    def redelivery(self, delivery: Delivery) -> SafeString:
        return page_link("webhooks_delivery", delivery.replay_of, "the first one")

    @admin.display(description="Redelivered as")
    def redelivered_as(self, delivery: Delivery) -> SafeString:
        links = [
            (page_link("webhooks_delivery", pk, f"redelivery {number}"),)
            for number, pk in enumerate(redeliveries_of(delivery), start=1)
        ]
        return format_html_join(", ", "{}", links) if links else NOTHING

    @admin.display(description="Event")
    def event_link(self, delivery: Delivery) -> SafeString:
        return page_link("events_event", delivery.event_id, "its event")

    @admin.display(description="Led to")
    def executions(self, delivery: Delivery) -> SafeString:
        if delivery.event_id is None:
            return NOTHING
        model = "executions_triggerexecution"
        return list_link(model, "what happened", event__id__exact=delivery.event_id)

    @admin.display(description="Status")
    def status_sent(self, delivery: Delivery) -> int:
        return status_of(delivery, load_definitions([delivery]))

    @admin.display(description="How to fix it")
    def suggested_fix(self, delivery: Delivery) -> str:
        return how_to_fix(delivery.cause) or NOTHING

    @admin.display(description="Method")
    def method_sent(self, delivery: Delivery) -> str:
        return request_of(delivery).method

    @admin.display(description="From")
    def address(self, delivery: Delivery) -> str:
        return request_of(delivery).remote_address or NOTHING

    @admin.display(description="Headers")
    def headers_json(self, delivery: Delivery) -> SafeString:
        return json_block(request_of(delivery).headers)

    @admin.display(description="Query")
    def query_json(self, delivery: Delivery) -> SafeString:
        return json_block(request_of(delivery).query)

    @admin.display(description="Body")
    def body_text(self, delivery: Delivery) -> SafeString:
        body = body_of(delivery)
        if body is None:
            return SafeString("The body is no longer stored")
        note = "<p>Only the first bytes were stored.</p>" if body.is_truncated else ""
        return _formatted(decompressed(delivery, body)) + SafeString(note)

    @admin.display(description="As a file")
    def body_file(self, delivery: Delivery) -> SafeString:
        url = reverse("delivery-body", args=[delivery.pk])
        return link(url, "The raw bytes")


def _formatted(body: bytes) -> SafeString:
    """Return JSON indented, any other text unchanged; long bodies are cut."""
    if not body:
        return NOTHING
    if len(body) <= MAX_SHOWN_BYTES:
        try:
            return json_block(json.loads(body))
        except (ValueError, RecursionError):
            pass
    return text_block(body[:MAX_SHOWN_BYTES].decode("utf-8", "replace"))
