from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Mapping
from typing import ClassVar

from django.contrib import admin
from django.db.models import BinaryField, Exists, OuterRef, QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter

from access.admin.base import HistoryAdmin
from common import wording
from common.admin.columns import Words, WordsFilter
from common.admin.display import (
    NOTHING,
    badge,
    json_block,
    link,
    list_link,
    page_link,
    text_block,
    time_tag,
)
from common.wording import Status, bytes_text
from events.models import Event, EventType, Inbox
from events.wording import EVENT_SOURCES

MAX_SHOWN_BYTES = 20_000
PROCESSED = Status("processed", "✓", "green")
REMOVED = "Removed: the event is older than EVENT_BODY_RETENTION_DAYS."
ERASED = "Erased, with all that was stored of its subject."


@admin.register(EventType)
class EventTypeAdmin(HistoryAdmin[EventType]):
    """The catalogue of event types that may be emitted; each release ships it."""

    id_search_fields = ()
    list_display = ("name", "title", "category", "description")
    list_filter = ("category",)
    search_fields = ("name", "title", "description")
    readonly_fields: ClassVar[tuple[str, ...]] = ("schema",)
    fields = ("name", "title", "category", "description", "schema")

    @admin.display(description="Payload schema")
    def schema(self, event_type: EventType) -> SafeString:
        return json_block(event_type.payload_schema)


@admin.register(Event)
class EventAdmin(HistoryAdmin[Event]):
    words: ClassVar[Mapping[str, Words]] = {"source": EVENT_SOURCES}
    payload_fields = ("body_text", "body_file", "request_json", "options_json")
    time_column = "received_at"
    empty_text = "No events yet. What is received, scheduled or emitted appears here."
    id_search_fields = (
        "pk", "endpoint_id", "trigger_id", "correlation_id", "cause_id", "replay_of",
    )  # fmt: skip
    list_display = (
        "received_at", "type", "source", "state", "subject", "endpoint_link",
        "trigger_link", "size", "executions_link",
    )  # fmt: skip
    list_filter = (
        ("source", WordsFilter),
        ("received_at", RangeDateTimeFilter),
    )
    search_fields = ("type__istartswith", "delivery_id__exact", "subject__exact")
    search_help_text = "The start of a type, a delivery id, a subject, or any id"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "type", "source", "state", "received_at", "subject",
                    "endpoint_link", "trigger_link", "executions_link",
                )
            },
        ),
        ("Body", {"fields": ("content_type", "size", "body_text", "body_file")}),
        ("Request", {"fields": ("request_json", "options_json")}),
        (
            "Facts",
            {
                "fields": (
                    "scheduled_for", "cause_link", "depth", "replay_link", "id",
                    "delivery_id", "correlation_id", "erased_at",
                )
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        rows = super().get_queryset(request).defer("body", "request", "options")
        is_waiting = Exists(Inbox.objects.filter(pk=OuterRef("pk")))
        return rows.annotate(is_waiting=is_waiting)

    @admin.display(description="State")
    def state(self, event: Event) -> SafeString:
        return badge(
            wording.WAITING if getattr(event, "is_waiting", False) else PROCESSED
        )

    @admin.display(description="Webhook")
    def endpoint_link(self, event: Event) -> SafeString:
        return page_link("webhooks_webhookendpoint", event.endpoint_id, "its webhook")

    @admin.display(description="Target trigger")
    def trigger_link(self, event: Event) -> SafeString:
        return page_link("triggers_trigger", event.trigger_id, "its trigger")

    @admin.display(description="Led to")
    def executions_link(self, event: Event) -> SafeString:
        model = "executions_triggerexecution"
        return list_link(model, "what happened", event__id__exact=event.pk)

    @admin.display(description="Size", ordering="body_size")
    def size(self, event: Event) -> str:
        return bytes_text(event.body_size)

    @admin.display(description="Body")
    def body_text(self, event: Event) -> SafeString:
        # A replay has no body: it shows that of the event that it replays.
        first_bytes = Substr("body", 1, MAX_SHOWN_BYTES + 1, output_field=BinaryField())
        rows = Event.objects.filter(pk=event.replay_of or event.pk)
        start = bytes(rows.values_list(first_bytes, flat=True).first() or b"")
        if not start:
            removed = SafeString(ERASED if event.erased_at else REMOVED)
            return removed if event.body_size else NOTHING
        try:
            # The cut may split a character; the decoder omits an incomplete last one.
            text, _ = utf_8_decode(start[:MAX_SHOWN_BYTES], "strict", False)
        except UnicodeDecodeError:
            return SafeString("Not text: download the file.")
        rest = len(start) > MAX_SHOWN_BYTES
        return text_block(text) + SafeString("<p>Shortened.</p>" if rest else "")

    @admin.display(description="As a file")
    def body_file(self, event: Event) -> SafeString:
        return link(reverse("event-body", args=[event.pk]), "The raw bytes")

    @admin.display(description="Request")
    def request_json(self, event: Event) -> SafeString:
        return json_block(event.request)

    @admin.display(description="Options of the run")
    def options_json(self, event: Event) -> SafeString:
        return json_block(event.options)

    @admin.display(description="Caused by")
    def cause_link(self, event: Event) -> SafeString:
        return page_link("events_event", event.cause_id, "the event before it")

    @admin.display(description="Replay of")
    def replay_link(self, event: Event) -> SafeString:
        return page_link("events_event", event.replay_of, "the first event")


@admin.register(Inbox)
class InboxAdmin(HistoryAdmin[Inbox]):
    id_search_fields = ("pk",)
    labels: ClassVar[Mapping[str, str]] = {"deaths": "Workers that it stopped"}
    empty_text = "No event waits."
    list_display = ("type", "received_at", "deaths")
    search_fields = ("event__type__istartswith",)
    ordering = ("pk",)
    readonly_fields: ClassVar[tuple[str, ...]] = ("event_page",)
    fields = ("event_page", "deaths")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Inbox]:
        heavy = ("event__body", "event__request", "event__options")
        rows = super().get_queryset(request).select_related("event")
        return rows.defer(*heavy)

    @admin.display(description="Event", ordering="event__type")
    def type(self, inbox: Inbox) -> str:
        return inbox.event.type

    @admin.display(description="Received at", ordering="event__received_at")
    def received_at(self, inbox: Inbox) -> SafeString:
        return time_tag(inbox.event.received_at)

    @admin.display(description="Event")
    def event_page(self, inbox: Inbox) -> SafeString:
        return page_link("events_event", inbox.event_id, inbox.event.type)
