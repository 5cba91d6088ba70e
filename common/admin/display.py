"""How admin pages show values: badges, links, JSON and text from senders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from common.wording import Status, time_text

MAX_SHOWN_CHARACTERS = 20_000
# An empty value is an empty cell; the page of a row leaves its line out.
NOTHING = SafeString("")


def badge(status: Status) -> SafeString:
    """Return a status as word, shape and color, the same on every page."""
    return format_html(
        '<span class="th-status th-{}"><span aria-hidden="true">{}</span>{}</span>',
        status.color,
        status.mark,
        status.word,
    )


def word(value: str, words: Mapping[str, Status | str]) -> SafeString:
    """Return the words for a stored value; an unknown one without underscores."""
    found = words.get(value, value.replace("_", " "))
    return badge(found) if isinstance(found, Status) else conditional_escape(found)


def time_tag(at: datetime | None, shown: str = "ago") -> SafeString:
    """Return a time in UTC, which time.js shows in the zone of the viewer.

    `shown` is "ago", "clock", "short" or "full".
    """
    if at is None:
        return NOTHING
    utc = at.astimezone(UTC)
    text = time_text(at) if shown == "short" else f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" data-t="{}">{}</time>',
        f"{utc:%Y-%m-%dT%H:%M:%S}Z",
        shown,
        text,
    )


def page_link(model: str, pk: object, text: object) -> SafeString:
    """Return a link to the page of a row; `model` has the form `triggers_trigger`."""
    if not pk:
        return NOTHING
    return link(reverse(f"admin:{model}_change", args=[pk]), text)


def list_link(model: str, text: object, **filters: object) -> SafeString:
    """Return a link to a list with these filters."""
    query = urlencode({name: str(value) for name, value in filters.items()})
    return link(f"{reverse(f'admin:{model}_changelist')}?{query}", text)


def link(url: str, text: object) -> SafeString:
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text
    )


def copyable_id(text: object) -> SafeString:
    """Return an id in full, with a button that copies it."""
    return _render("id.html", text=text) if text else NOTHING


def json_block(value: Any) -> SafeString:
    """Return a JSON value indented and shortened; lone surrogates stay escaped."""
    if value in (None, {}, []):
        return NOTHING
    return text_block(json.dumps(value, indent=2, ensure_ascii=False))


def text_block(text: str) -> SafeString:
    """Return text as it was received, escaped and shortened."""
    shown = text[:MAX_SHOWN_CHARACTERS]
    return _render(
        "text_block.html",
        text=shown.encode("utf-8", "backslashreplace").decode(),
        left_out=len(text) - len(shown),
    )


def copyable(text: str, *, note: str = "") -> SafeString:
    """Return text with a button that copies it."""
    return _render("copyable.html", text=text, note=note)


def _render(template: str, **context: object) -> SafeString:
    return SafeString(render_to_string(f"admin/tickhook/{template}", context))
