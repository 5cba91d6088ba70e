"""The names of time zones, and what to write instead of a name that is none.

A hint never names a zone with another offset than the one that was meant: a name that
can mean several zones gets all of them, or no hint at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from triggers.schedules.windows_zones import WINDOWS_ZONES

LONGEST_ZONE_NAME = 64
# The system's database has them, but they name no place and differ between machines.
NOT_ZONES = frozenset({"Factory", "localtime"})
OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+-])\s*(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
# What people write for a Windows name: "Eastern Daylight Time", "Eastern Time".
TIME_WORDS = re.compile(r"( (standard|daylight|summer))? time\b")
# Zones whose last word names no place.
DIRECTIONS = frozenset({"north", "south", "west", "east", "general"})
SAME_PLACE = 0.84
SAME_NAME = 0.88
MID_WINTER, MID_SUMMER = (
    datetime(2026, 1, 15, tzinfo=UTC),
    datetime(2026, 7, 15, tzinfo=UTC),
)

# Abbreviations that are no IANA names; some mean several zones.
ABBREVIATIONS = {
    "ACDT": ["Australia/Adelaide"],
    "ACST": ["Australia/Darwin", "Australia/Adelaide"],
    "ADT": ["America/Halifax"],
    "AEDT": ["Australia/Sydney"],
    "AEST": ["Australia/Brisbane", "Australia/Sydney"],
    "AKDT": ["America/Anchorage"],
    "AKST": ["America/Anchorage"],
    "ART": ["America/Argentina/Buenos_Aires"],
    "AST": ["America/Halifax", "America/Puerto_Rico"],
    "AWST": ["Australia/Perth"],
    "BRT": ["America/Sao_Paulo"],
    "BST": ["Europe/London"],
    "CAT": ["Africa/Maputo"],
    "CDT": ["America/Chicago"],
    "CEST": ["Europe/Berlin", "Europe/Paris"],
    "CLT": ["America/Santiago"],
    "COT": ["America/Bogota"],
    "CST": ["America/Chicago", "Asia/Shanghai", "America/Havana"],
    "CT": ["America/Chicago"],
    "EAT": ["Africa/Nairobi"],
    "EDT": ["America/New_York"],
    "EEST": ["Europe/Helsinki", "Europe/Athens"],
    "ET": ["America/New_York"],
    "GST": ["Asia/Dubai"],
    "HDT": ["America/Adak"],
    "HKT": ["Asia/Hong_Kong"],
    "ICT": ["Asia/Bangkok"],
    "IDT": ["Asia/Jerusalem"],
    "IST": ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"],
    "JST": ["Asia/Tokyo"],
    "KST": ["Asia/Seoul"],
    "MDT": ["America/Denver"],
    "MESZ": ["Europe/Berlin"],
    "MEZ": ["Europe/Berlin"],
    "MSK": ["Europe/Moscow"],
    "MT": ["America/Denver"],
    "NDT": ["America/St_Johns"],
    "NPT": ["Asia/Kathmandu"],
    "NST": ["America/St_Johns"],
    "NZDT": ["Pacific/Auckland"],
    "NZST": ["Pacific/Auckland"],
    "PDT": ["America/Los_Angeles"],
    "PET": ["America/Lima"],
    "PHT": ["Asia/Manila"],
    "PKT": ["Asia/Karachi"],
    "PST": ["America/Los_Angeles"],
    "PT": ["America/Los_Angeles"],
    "SAST": ["Africa/Johannesburg"],
    "SGT": ["Asia/Singapore"],
    "SST": ["Pacific/Pago_Pago"],
    "TRT": ["Europe/Istanbul"],
    "VET": ["America/Caracas"],
    "WAT": ["Africa/Lagos"],
    "WEST": ["Europe/Lisbon"],
    "WIB": ["Asia/Jakarta"],
    "Z": ["UTC"],
}
# Zones of a constant offset that is not in whole hours, in minutes.
PART_HOURS = {
    -570: "Pacific/Marquesas",
    210: "Asia/Tehran",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    525: "Australia/Eucla",
    570: "Australia/Darwin",
}
# Large cities that give their names to no zone.
CITIES = {
    "abu dhabi": "Asia/Dubai",
    "amsterdam": "Europe/Amsterdam",
    "ankara": "Europe/Istanbul",
    "atlanta": "America/New_York",
    "austin": "America/Chicago",
    "bangalore": "Asia/Kolkata",
    "barcelona": "Europe/Madrid",
    "beijing": "Asia/Shanghai",
    "bengaluru": "Asia/Kolkata",
    "boston": "America/New_York",
    "calgary": "America/Edmonton",
    "cape town": "Africa/Johannesburg",
    "chennai": "Asia/Kolkata",
    "cologne": "Europe/Berlin",
    "dallas": "America/Chicago",
    "delhi": "Asia/Kolkata",
    "edinburgh": "Europe/London",
    "frankfurt": "Europe/Berlin",
    "geneva": "Europe/Zurich",
    "guangzhou": "Asia/Shanghai",
    "hamburg": "Europe/Berlin",
    "hanoi": "Asia/Ho_Chi_Minh",
    "houston": "America/Chicago",
    "hyderabad": "Asia/Kolkata",
    "islamabad": "Asia/Karachi",
    "krakow": "Europe/Warsaw",
    "kyoto": "Asia/Tokyo",
    "lahore": "Asia/Karachi",
    "las vegas": "America/Los_Angeles",
    "manchester": "Europe/London",
    "miami": "America/New_York",
    "milan": "Europe/Rome",
    "mumbai": "Asia/Kolkata",
    "munich": "Europe/Berlin",
    "new delhi": "Asia/Kolkata",
    "osaka": "Asia/Tokyo",
    "ottawa": "America/Toronto",
    "philadelphia": "America/New_York",
    "pretoria": "Africa/Johannesburg",
    "quebec": "America/Toronto",
    "rio de janeiro": "America/Sao_Paulo",
    "rotterdam": "Europe/Amsterdam",
    "san diego": "America/Los_Angeles",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "shenzhen": "Asia/Shanghai",
    "st petersburg": "Europe/Moscow",
    "washington": "America/New_York",
    "wellington": "Pacific/Auckland",
}


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_ZONES)


def explain_unknown_zone(name: object) -> str | None:
    """Return why this is not the name of a time zone; None if it is one."""
    if not isinstance(name, str) or len(name) > LONGEST_ZONE_NAME:
        return "The time zone must be an IANA name such as 'Europe/Berlin'."
    if name in zone_names():
        return None
    hint = (
        _hint(" ".join(name.split())) or "; write an IANA name of the form Area/City."
    )
    return f"Unknown time zone {name!r}{hint}"


def _hint(name: str) -> str | None:
    if exact := _by_fold().get(name.casefold()):
        return f"; did you mean '{exact}'?"
    windows = TIME_WORDS.sub(" standard time", name.casefold(), count=1)
    if zone := WINDOWS_ZONES.get(windows):
        return f"; that is Windows' name of '{zone}'."
    if zones := ABBREVIATIONS.get(name.upper()):
        *first, last = (f"'{zone}'" for zone in zones)
        if first:
            return f"; it can mean {', '.join(first)} or {last}."
        return f"; use {last}."
    if offset := OFFSET.fullmatch(name):
        return _hint_of_offset(*offset.groups())
    similar = _similar(name.replace(" ", "_"))
    return f"; did you mean '{similar}'?" if similar else None


def _hint_of_offset(sign: str, hours: str, minutes: str | None) -> str | None:
    offset = int(f"{sign}1") * (int(hours) * 60 + int(minutes or 0))
    if offset == 0:
        return "; use 'UTC'."
    if offset % 60:
        place = PART_HOURS.get(offset)
        return f"; use '{place}'." if place else None
    # In these names the sign is reversed, by POSIX.
    zone = f"Etc/GMT{-offset // 60:+d}"
    is_zone = zone in zone_names()
    return f"; use '{zone}', whose sign is reversed." if is_zone else None


def _similar(name: str) -> str | None:
    """Return the zone whose name was misspelled; None if several offsets are near."""
    place = _place_of(name)
    if city := CITIES.get(place):
        return city
    places = _by_place()
    if place not in places:
        near = get_close_matches(place, places, n=3, cutoff=SAME_PLACE)
    else:
        near = [place]
    found = [zone for each in near for zone in places[each]]
    area = name.casefold().rpartition("/")[0]
    in_area = [zone for zone in found if zone.casefold().rpartition("/")[0] == area]
    found = in_area or found
    if not found and area:
        matcher = SequenceMatcher(b=name.casefold())
        for zone in sorted(_named_places()):
            matcher.set_seq1(zone.casefold())
            if matcher.quick_ratio() >= SAME_NAME and matcher.ratio() >= SAME_NAME:
                found.append(zone)
    return found[0] if len({offsets_of(zone) for zone in found}) == 1 else None


def offsets_of(zone: str) -> tuple[timedelta | None, ...]:
    """Return the zone's offsets in January and in July."""
    moments = (MID_WINTER, MID_SUMMER)
    return tuple(at.astimezone(load_zone(zone)).utcoffset() for at in moments)


def _place_of(name: str) -> str:
    """Return the last part of a name, as people write it: "new york"."""
    return name.rpartition("/")[2].replace("_", " ").replace(".", "").casefold()


def _named_places() -> Iterable[str]:
    return (
        name
        for name in zone_names()
        if "/" in name
        and not name.startswith("Etc/")
        and not any(character.isdigit() for character in name)
    )


@lru_cache(maxsize=1)
def _by_place() -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for name in sorted(_named_places()):
        if _place_of(name) not in DIRECTIONS:
            places.setdefault(_place_of(name), []).append(name)
    return places


@lru_cache(maxsize=1)
def _by_fold() -> dict[str, str]:
    return {name.casefold(): name for name in zone_names()}
