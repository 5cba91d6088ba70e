"""How values look on the pages: badges, links, JSON and text of strangers."""

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
    """Return a status as a coloured label; the same word has one colour everywhere."""
    context = {"text": status, "type": _KINDS.get(status, "default")}
    return SafeString(render_to_string("unfold/helpers/label.html", context))


def page_link(model: str, pk: object, text: object = None) -> SafeString:
    """Link to a row's page; `model` is named as in `triggers_trigger`."""
    if not pk:
        return NOTHING
    url = reverse(f"admin:{model}_change", args=[pk])
    return link(url, short_id(pk) if text is None else text)


def list_link(model: str, text: object, **filters: object) -> SafeString:
    """Link to the rows of a list that the filters leave."""
    query = urlencode({name: str(value) for name, value in filters.items()})
    return link(f"{reverse(f'admin:{model}_changelist')}?{query}", text)


def link(url: str, text: object) -> SafeString:
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text
    )


def short_id(pk: object) -> str:
    """Return the end of an id: the part by which ids of one moment differ."""
    return f"…{str(pk)[-8:]}"


def json_block(value: Any) -> SafeString:
    """Return a JSON value laid out, shortened; lone surrogates stay escapes."""
    if value in (None, {}, []):
        return NOTHING
    return text_block(json.dumps(value, indent=2, ensure_ascii=False))


def text_block(text: str) -> SafeString:
    """Return text as it came, escaped and shortened."""
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
