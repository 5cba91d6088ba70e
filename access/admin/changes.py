"""How pages show the changes of an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from access.audit.records import audited
from access.audit.wording import CHANGES, actor_text, set_lines
from access.models import AuditLog
from common.admin.display import badge, list_link, time_tag

MAX_CHANGES = 50


def latest_changes(log: QuerySet[AuditLog], row: Model) -> dict[str, Any]:
    """Return what the page of a row's changes shows: the newest of them."""
    found = {"object_type": audited[type(row)].kind, "object_id": str(row.pk)}
    changes = list(log.filter(**found)[: MAX_CHANGES + 1])
    set_lines(changes)
    return {
        "is_audited": True,
        "changes": [_as_shown(change) for change in changes[:MAX_CHANGES]],
        "all_changes": list_link(
            "access_auditlog",
            "All changes",
            **{f"{name}__exact": value for name, value in found.items()},
        ),
        "has_more": len(changes) > MAX_CHANGES,
    }


def lines_html(lines: Sequence[tuple[str, str]]) -> SafeString:
    return format_html_join("", "<div><strong>{}</strong>: {}</div>", lines)


def _as_shown(change: AuditLog) -> dict[str, object]:
    return {
        "at": time_tag(change.at, "full"),
        "who": actor_text(change),
        "change": badge(CHANGES[change.change]),
        "lines": lines_html(change.lines),
        "reason": change.reason,
    }
