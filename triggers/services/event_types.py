"""Which event types a trigger may hope for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from events.models import EventType
from events.services.emit import INTERNAL_NAMESPACES
from triggers.services.validation import is_pattern
from webhooks.types import known_slugs


def explain_unsupported(patterns: Sequence[str]) -> dict[int, str]:
    """Say by place which patterns can match nothing that is emitted, sent or told.

    Malformed ones are left to `check_trigger`.
    """
    if not patterns:
        return {}
    catalogue = set(EventType.objects.values_list("name", flat=True))
    namespaces = {*INTERNAL_NAMESPACES, *known_slugs()}
    return {
        place: _explain(pattern, catalogue)
        for place, pattern in enumerate(patterns)
        if is_pattern(pattern) and not _is_supported(pattern, catalogue, namespaces)
    }


def _is_supported(pattern: str, catalogue: set[str], namespaces: set[str]) -> bool:
    if pattern == "*" or pattern.split(".")[0] in namespaces:
        return True
    if not pattern.endswith(".*"):
        return pattern in catalogue
    return any(name.startswith(pattern.removesuffix("*")) for name in catalogue)


def _explain(pattern: str, catalogue: set[str]) -> str:
    prefixes = {name.rpartition(".")[0] + ".*" for name in catalogue}
    known = prefixes if pattern.endswith(".*") else catalogue
    close = get_close_matches(pattern, sorted(known), n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"Event type '{pattern}' is not supported{hint}"
