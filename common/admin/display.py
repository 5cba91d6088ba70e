"""How admin pages show values: badges, links, JSON and text from senders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

MAX_SHOWN_CHARACTERS = 20_000
NOTHING = SafeString("-")

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "success": "success",
        "fired": "success",
        "succeeded": "success",
        "active": "success",
        "accepted": "success",
        "failed": "danger",
        "unaccounted": "danger",
        "timeout": "danger",
        "auto-disabled": "danger",
        "no heartbeat": "danger",
        "rejected": "danger",
        "running": "info",
        "submitted": "info",
        "duplicate": "info",
        "pending": "warning",
        "missed": "warning",
        "waiting": "warning",
        "paused": "warning",
    }
)


def badge(status: str) -> SafeString:
    """Return a status as a colored label; a word has the same color on every page."""
    context = {"text": status, "type": _KINDS.get(status, "default")}
    return SafeString(render_to_string("unfold/helpers/label.html", context))


def page_link(model: str, pk: object, text: object = None) -> SafeString:
    """Return a link to the page of a row; `model` has the form `triggers_trigger`."""
    if not pk:
        return NOTHING
    url = reverse(f"admin:{model}_change", args=[pk])
    return link(url, short_id(pk) if text is None else text)


def list_link(model: str, text: object, **filters: object) -> SafeString:
    """Return a link to a list with these filters."""
    query = urlencode({name: str(value) for name, value in filters.items()})
    return link(f"{reverse(f'admin:{model}_changelist')}?{query}", text)


def link(url: str, text: object) -> SafeString:
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text
    )


def short_id(pk: object) -> str:
    """Return the end of an id, in which ids of the same time differ."""
    return f"…{str(pk)[-8:]}"


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
