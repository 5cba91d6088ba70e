from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

LONGEST_NAME = 64
# Present in the system's database, but they name no place and differ by machine.
NOT_ZONES = frozenset({"Factory", "localtime"})


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_ZONES)


def explain_unknown_zone(name: object) -> str | None:
    """Return what is wrong with the name of a time zone; None if nothing is."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return "The time zone must be an IANA name such as 'Europe/Berlin'."
    if name in zone_names():
        return None
    similar = get_close_matches(name, zone_names(), n=1)
    hint = f"; did you mean '{similar[0]}'?" if similar else "."
    return f"Unknown time zone {name!r}{hint}"


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
