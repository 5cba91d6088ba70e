from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from conditions.bounded import storable

MAX_QUOTED = 60


def quoted(name: object) -> str:
    """Quote what somebody wrote, cut to a length that a message can carry."""
    text = storable(str(name)[: MAX_QUOTED + 1])
    return f"'{text}'" if len(text) <= MAX_QUOTED else f"'{text[:MAX_QUOTED]}…'"


def did_you_mean(written: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'x'?" for the known name that comes closest, if one does."""
    close = get_close_matches(written[:MAX_QUOTED].lower(), sorted(known), n=1)
    return f"did you mean '{close[0]}'?" if close else None


def unknown(kind: str, written: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, with the closest known name or else all of them."""
    names = sorted(known)
    hint = did_you_mean(written, names) or f"known: {', '.join(names)}"
    return f"unknown {kind} {quoted(written)}; {hint}"
