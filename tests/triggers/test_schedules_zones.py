"""Names that are no IANA zone: each hint has the offset that was meant."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from triggers.schedules.windows_zones import WINDOWS_ZONES
from triggers.schedules.zones import (
    ABBREVIATIONS,
    CITIES,
    PART_HOURS,
    explain_unknown_zone,
    offsets_of,
    zone_names,
)

# In hours; those of a summer time are its own.
HOURS_OF_ABBREVIATIONS: dict[str, list[float]] = {
    "ACDT": [10.5], "ACST": [9.5], "ADT": [-3], "AEDT": [11], "AEST": [10],
    "AKDT": [-8], "AKST": [-9], "ART": [-3], "AST": [-4], "AWST": [8], "BRT": [-3],
    "BST": [1], "CAT": [2], "CDT": [-5], "CEST": [2], "CLT": [-4], "COT": [-5],
    "CST": [-6, 8, -5], "CT": [-6], "EAT": [3], "EDT": [-4], "EEST": [3], "ET": [-5],
    "GST": [4], "HDT": [-9], "HKT": [8], "ICT": [7], "IDT": [3], "IST": [5.5, 1, 2],
    "JST": [9], "KST": [9], "MDT": [-6], "MESZ": [2], "MEZ": [1], "MSK": [3],
    "MT": [-7], "NDT": [-2.5], "NPT": [5.75], "NST": [-3.5], "NZDT": [13],
    "NZST": [12], "PDT": [-7], "PET": [-5], "PHT": [8], "PKT": [5], "PST": [-8],
    "PT": [-8], "SAST": [2], "SGT": [8], "SST": [-11], "TRT": [3], "VET": [-4],
    "WAT": [1], "WEST": [1], "WIB": [7], "Z": [0],
}  # fmt: skip


def hints(name: str) -> list[str]:
    """Return the zones that a refusal names after the name itself."""
    explained = explain_unknown_zone(name)
    assert explained is not None
    prefix = f"Unknown time zone {name!r}"
    assert explained.startswith(prefix)
    return re.findall(r"'([^']+)'", explained.removeprefix(prefix).replace("s' ", " "))


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe/Lodnon", "Europe/London"),
        ("America/Los_Angelos", "America/Los_Angeles"),
        ("America/New York", "America/New_York"),
        ("new york", "America/New_York"),
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("utc", "UTC"),
        ("America/London", "Europe/London"),
        ("Asia/Beijing", "Asia/Shanghai"),
        ("San Francisco", "America/Los_Angeles"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ("eastern daylight time", "America/New_York"),
        ("Pacific Time", "America/Los_Angeles"),
        ("India Standard Time", "Asia/Kolkata"),
        ("Central Standard Time (Mexico)", "America/Mexico_City"),
        ("UTC+2", "Etc/GMT-2"),
        ("GMT-5", "Etc/GMT+5"),
        ("+02:00", "Etc/GMT-2"),
        ("UTC+05:30", "Asia/Kolkata"),
        ("+0545", "Asia/Kathmandu"),
        ("UTC+00:00", "UTC"),
        ("PDT", "America/Los_Angeles"),
        ("cest", "Europe/Berlin"),
    ],
)
def test_a_name_that_is_no_zone_gets_the_zone_that_was_meant(
    name: str, zone: str
) -> None:
    assert hints(name)[0] == zone


@pytest.mark.parametrize(
    "name",
    ["Mars", "", "UTC+15", "UTC+05:17", "Etc/GMT+15", "EST6EDT", "XYZ", "North"],
)
def test_a_name_without_a_near_zone_gets_no_hint(name: str) -> None:
    assert hints(name) == []


def test_an_abbreviation_of_several_zones_gets_all_of_them() -> None:
    assert explain_unknown_zone("IST") == (
        "Unknown time zone 'IST'; it can mean 'Asia/Kolkata', 'Europe/Dublin' or "
        "'Asia/Jerusalem'."
    )


def test_the_abbreviations_that_iana_has_are_zones() -> None:
    assert [explain_unknown_zone(name) for name in ("EST", "MST", "CET", "EET")] == [
        None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ABBREVIATIONS)
def test_each_zone_of_an_abbreviation_has_its_offset(name: str) -> None:
    expected = {timedelta(hours=hours) for hours in HOURS_OF_ABBREVIATIONS[name]}

    offsets = [set(offsets_of(zone)) for zone in ABBREVIATIONS[name]]

    assert all(expected & each for each in offsets)
    assert expected <= {offset for each in offsets for offset in each}


def test_each_part_hour_is_constant() -> None:
    assert all(
        set(offsets_of(zone)) == {timedelta(minutes=minutes)}
        for minutes, zone in PART_HOURS.items()
    )


def test_every_whole_hour_has_the_zone_of_its_offset() -> None:
    for hours in range(-12, 15):
        [zone] = hints(f"UTC{hours:+d}")
        assert set(offsets_of(zone)) == {timedelta(hours=hours)}


def test_the_windows_zones_are_those_of_cldr() -> None:
    others = {name.casefold(): zone for name, zone in win_tz.items()}

    assert set(WINDOWS_ZONES.values()) <= zone_names()
    assert {n for n in others if not n.startswith("utc")} == set(WINDOWS_ZONES)
    assert {name: offsets_of(zone) for name, zone in WINDOWS_ZONES.items()} == {
        name: offsets_of(others[name]) for name in WINDOWS_ZONES
    }


def test_the_cities_have_zones() -> None:
    assert set(CITIES.values()) <= zone_names()


@settings(deadline=None)
@given(st.text(st.sampled_from("ESTPCIDUGMZ+-0123456789: "), max_size=8))
def test_a_hint_for_an_offset_or_an_abbreviation_is_no_guess(name: str) -> None:
    if explain_unknown_zone(name) is None:
        return

    found = hints(name)

    shortened = " ".join(name.split()).upper()
    is_known = shortened in ABBREVIATIONS or "+" in name or "-" in name
    assert not found or is_known or shortened in map(str.upper, zone_names())


@given(st.text(max_size=70))
def test_any_text_is_explained(name: str) -> None:
    explained = explain_unknown_zone(name)

    assert explained is None or explained.isprintable() or not name.isprintable()
