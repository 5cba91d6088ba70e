"""Explains cron texts that are not valid: what was seen, and what to write instead.

An invalid text is repaired step by step: a time zone in front of it, a command behind
it, names in full. Each repair says what it saw. If the result is valid, the message
proposes it; so every text that a message proposes is valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from triggers.schedules.cron_fields import (
    DAY,
    FIELDS,
    HOUR,
    MONTH,
    WEEKDAY,
    CronField,
    CronSyntaxError,
    parse_term,
)
from triggers.schedules.cron_other_kinds import explain_other_kind
from triggers.schedules.cron_reading import MARK, WRAPPED, CronText, read_strictly
from triggers.schedules.cron_rule import SHORTCUTS, check_length
from triggers.schedules.zones import explain_unknown_zone

MOST_REPAIRS = 8
LONGEST_QUOTE = 40
WORDS = {
    **{name.removeprefix("@"): name for name in SHORTCUTS},
    "minutely": "* * * * *",
    "every_minute": "* * * * *",
    "every_second": "* * * * * *",
    "secondly": "* * * * * *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "weekdays": "0 0 * * 1-5",
}
LOOKALIKES = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "\u2212": "-", "\uff0a": "*", "\u2217": "*",
     "\uff0c": ",", "\u00a0": " "}
)  # fmt: skip
COMMENT = re.compile(r"(.*?\S)[ \t]+(#.*)")
LABEL = re.compile(r"-?\s*(?:cron|schedule|crontab)\s*[:=]\s*(\S.*)", re.IGNORECASE)
TIME_ZONE = re.compile(r"(?:CRON_)?TZ\s*=\s*([\"']?)([^\s\"']+)\1\s+(\S.*)", re.I)
LIST_BLANK = re.compile(r"[ \t]+,[ \t]*|,[ \t]+")
OTHER_BLANK = re.compile(r"[ \t]*([-/#])[ \t]*")
FIELD_TEXT = re.compile(r"[0-9*,/?#L-]+", re.IGNORECASE)
HASH = re.compile(r"[HR](?:\((\d+-\d+)\))?(/\d+)?", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z]{4,}")
COUNTED_RANGE = re.compile(r"(\w+-\w+)(#[1-5]|L)", re.IGNORECASE)
DAYS_TO_LAST = re.compile(r"(\d+)-L", re.IGNORECASE)
YEAR_TEXT = re.compile(r"\*|(?:19|20|21)\d\d[\d,/*-]*")
FULL_NAMES = (
    "MONDAY", "TUESDAY", "WEDNESDAY", "WEDS", "THURSDAY", "FRIDAY", "SATURDAY",
    "SUNDAY", "JANUARY", "FEBRUARY", "MARCH", "APRIL", "JUNE", "JULY", "AUGUST",
    "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A text without one of its faults, and what the fault is."""

    text: str
    remark: str


def read_cron(text: str) -> CronText:
    """Read a new cron expression, also AWS's or Quartz's.

    Raises CronSyntaxError with the way out if it is not valid.
    """
    check_length(text)
    try:
        return read_strictly(text)
    except CronSyntaxError as error:
        raise CronSyntaxError(_advise(text.strip(), error)) from error


def _advise(text: str, error: CronSyntaxError) -> str:
    remarks: list[str] = []
    for _ in range(MOST_REPAIRS):
        if other := explain_other_kind(text) or _explain_year(text):
            return "; ".join([*remarks, other])
        found = (repair(text) for repair in REPAIRS)
        repaired = next((each for each in found if each is not None), None)
        if repaired is None:
            break
        text = repaired.text
        remarks.append(repaired.remark)
        try:
            read = read_strictly(text)
        except CronSyntaxError as later:
            error = later
        else:
            # Only the other system's order has a place for the last year.
            written = text if read.last_year else read.expression
            return "; ".join([*remarks, f"write '{written}'"])
    return "; ".join([*remarks, str(error)])


def _is_valid(text: str) -> bool:
    try:
        read_strictly(text)
    except CronSyntaxError:
        return False
    return True


def _quote(text: str) -> str:
    shown = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return f"'{shown}'"


def _repair_writing(text: str) -> Repair | None:
    """Take off quotes and a label, and replace characters that look like others."""
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'`":
        return Repair(text=text[1:-1].strip(), remark="write it without quotes")
    if label := LABEL.fullmatch(text):
        seen = text[: label.start(1)].strip()
        return Repair(text=label[1], remark=f"leave out {_quote(seen)}")
    wrapped = WRAPPED.fullmatch(text)
    if wrapped and (MARK in wrapped[1] or len(wrapped[1].split()) != 6):
        return Repair(text=wrapped[1].strip(), remark="leave out 'cron( )'")
    replaced = text.translate(LOOKALIKES)
    if replaced == text:
        return None
    return Repair(text=replaced, remark="it has dashes, stars or blanks of other kinds")


def _repair_comment(text: str) -> Repair | None:
    if text.startswith("#"):
        rest = text.lstrip("# \t")
        return Repair(text=rest, remark="a '#' at the start makes it a comment")
    comment = COMMENT.fullmatch(text)
    if comment is None or re.fullmatch(r"#\s*[1-5]", comment[2]):
        return None
    remark = f"a comment ({_quote(comment[2])}) does not belong here"
    return Repair(text=comment[1], remark=f"{remark}; the field description takes it")


def _repair_time_zone(text: str) -> Repair | None:
    """Take off a time zone in front (`TZ=…`, `CRON_TZ=…`) or behind."""
    if given := TIME_ZONE.fullmatch(text):
        zone, rest = given[2], given[3]
    else:
        rest, _, zone = text.rpartition(" ")
        is_zone = "/" in zone or zone.upper() in {"UTC", "GMT"}
        if not is_zone or explain_unknown_zone(zone) or not _is_valid(rest):
            return None
    remark = f"the time zone has a field of its own: set timezone to '{zone}'"
    if problem := explain_unknown_zone(zone):
        remark = f"the time zone belongs in the field timezone ({problem.rstrip('.')})"
    return Repair(text=rest.strip(), remark=remark)


def _repair_word(text: str) -> Repair | None:
    """Read `daily`, `@quarterly`, or a shortcut with a command behind it."""
    first, _, rest = text.partition(" ")
    is_shortcut = first.lower() in SHORTCUTS
    if rest:
        return _without_command(first, rest.strip()) if is_shortcut else None
    word = first.removeprefix("@").lower()
    if word in WORDS and not is_shortcut:
        return Repair(text=WORDS[word], remark=f"{_quote(first)} is not supported")
    if first.startswith("@"):
        near = get_close_matches(first.lower(), SHORTCUTS, n=1, cutoff=0.8)
        if near and not is_shortcut:
            return Repair(text=near[0], remark=f"{_quote(first)} is not supported")
    return None


def _repair_blanks(text: str) -> Repair | None:
    joined = LIST_BLANK.sub(",", text)
    if joined != text:
        return Repair(text=joined, remark="a list has no blanks")
    joined = OTHER_BLANK.sub(r"\1", text)
    if joined != text and _is_valid(joined):
        return Repair(text=joined, remark="a field has no blanks")
    return None


def _repair_command(text: str) -> Repair | None:
    """Take off the user or command of a crontab line, behind five or six fields."""
    for count in (6, 5):
        parts = text.split(None, count)
        if len(parts) <= count:
            continue
        fields, next_word = " ".join(parts[:count]), parts[count].split()[0].upper()
        is_name = next_word in WEEKDAY.names or next_word in MONTH.names
        if is_name or FIELD_TEXT.fullmatch(next_word):
            continue
        if _is_valid(fields):
            return _without_command(fields, parts[count])
    return None


def _without_command(fields: str, command: str) -> Repair:
    remark = f"{_quote(command)} looks like a user or a command: leave it out"
    return Repair(text=fields, remark=f"{remark}, as a trigger starts its agent")


def _repair_hash(text: str) -> Repair | None:
    """Replace `H` (Jenkins) and `R` (croniter) by the first of the possible values."""

    def first_of(cron_field: CronField, term: str) -> str:
        found = HASH.fullmatch(term)
        if found is None:
            return term
        limits, step = found.groups()
        if step:
            return f"{limits or '*'}{step}"
        return limits.partition("-")[0] if limits else str(cron_field.low)

    remark = (
        "'H' (Jenkins: a value picked for each job) is not supported; choose the value,"
        " and spread triggers with jitter_seconds"
    )
    return _repair_terms(text, first_of, remark)


def _repair_names(text: str) -> Repair | None:
    """Shorten the names of days and months to three letters."""

    def shorten(match: re.Match[str]) -> str:
        word = match[0].upper()
        is_name = any(name.startswith(word.removesuffix("S")) for name in FULL_NAMES)
        return match[0][:3] if is_name else match[0]

    repaired = WORD.sub(shorten, text)
    if repaired == text:
        return None
    return Repair(text=repaired, remark="names of days and months have three letters")


def _split_year(text: str) -> tuple[list[str], str] | None:
    """Return the fields in front of a year, and the year; None if there is none.

    A year is the sixth field in AWS's order, and the seventh in Quartz's.
    """
    *fields, year = text.split() or [""]
    is_year = YEAR_TEXT.fullmatch(year) is not None and MARK not in text
    if not is_year or len(fields) not in {5, 6} or not _is_valid(" ".join(fields)):
        return None
    return fields, year


def _explain_year(text: str) -> str | None:
    """Explain a year after weekdays as numbers, which can mean two days each."""
    found = _split_year(text)
    if found is None or not re.search(r"(?<![#/\d])\d", found[0][-1]):
        return None
    return (
        f"a year field ({_quote(found[1])}) is not supported; leave it out, and write"
        " the days of week as names: 1 is Monday here, but Sunday in AWS and Quartz"
    )


def _repair_year(text: str) -> Repair | None:
    found = _split_year(text)
    if found is None:
        return None
    fields, year = found
    remark = f"a year field ({_quote(year)}) is not supported"
    if year != "*":
        remark += "; set start_at and end_at instead"
    return Repair(text=" ".join(fields), remark=remark)


def _repair_places(text: str) -> Repair | None:
    """Move a name of a day or month into its field, if that is `*`."""
    fields = text.split()
    if len(fields) not in {5, 6}:
        return None
    day, month, weekday = range(len(fields) - 3, len(fields))
    for source in (day, month, weekday):
        for target, cron_field in ((month, MONTH), (weekday, WEEKDAY)):
            if source == target or fields[target] not in {"*", "?"}:
                continue
            words = re.findall(r"[A-Z]+", fields[source].upper())
            if not any(word in cron_field.names for word in words):
                continue
            moved = list(fields)
            moved[source], moved[target] = "*", fields[source]
            remark = f"{_quote(fields[source])} belongs in the {cron_field.name} field"
            return Repair(text=" ".join(moved), remark=remark)
    return None


def _repair_star(text: str) -> Repair | None:
    def start(cron_field: CronField, term: str) -> str:
        if re.fullmatch(r"/\d+", term):
            return f"*{term}"
        return (
            re.sub(r"\*(\d+)", r"*/\1", term) if re.fullmatch(r"\*\d+", term) else term
        )

    return _repair_terms(text, start, "a step is written '*/n'")


def _repair_midnight(text: str) -> Repair | None:
    *_, hour, day, month, weekday = ["", "", "", "", *text.split()]
    if hour != "24" or {day, month, weekday} != {"*"}:
        return None

    def to_zero(cron_field: CronField, term: str) -> str:
        return "0" if cron_field is HOUR else term

    return _repair_terms(text, to_zero, "the hour of midnight is 0")


def _repair_day_lists(text: str) -> Repair | None:
    """Write `MON-WED#1` as a list, and `20-L` as `20-31`."""

    def write(cron_field: CronField, term: str) -> str:
        to_last = DAYS_TO_LAST.fullmatch(term)
        if cron_field is DAY and to_last:
            return f"{to_last[1]}-31"
        counted = COUNTED_RANGE.fullmatch(term)
        if cron_field is not WEEKDAY or counted is None:
            return term
        try:
            days = parse_term(WEEKDAY, counted[1].upper())
        except CronSyntaxError:
            return term
        suffix = counted[2].upper()
        return ",".join(
            f"{day}#{suffix[1]}" if suffix != "L" else f"L{day}" for day in days
        )

    return _repair_terms(text, write, "'#' and 'L' take a single day")


def _repair_terms(
    text: str, repair: Callable[[CronField, str], str], remark: str
) -> Repair | None:
    """Repair the terms of five or six fields; None if all stay as they are."""
    fields = text.split()
    if len(fields) not in {5, 6}:
        return None
    repaired = [
        ",".join(repair(cron_field, term) for term in field.split(","))
        for cron_field, field in zip(FIELDS[-len(fields) :], fields, strict=True)
    ]
    if repaired == fields:
        return None
    return Repair(text=" ".join(repaired), remark=remark)


REPAIRS = (
    _repair_writing,
    _repair_time_zone,
    _repair_comment,
    _repair_word,
    _repair_blanks,
    _repair_year,
    _repair_command,
    _repair_hash,
    _repair_names,
    _repair_star,
    _repair_midnight,
    _repair_day_lists,
    _repair_places,
)
