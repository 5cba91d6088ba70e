"""The figures of one side with a number of entries; each class is a table."""

from __future__ import annotations

from dataclasses import dataclass

# A figure, or the reason why it is missing.
Figure = float | str

CUT_SECONDS = 60
TOO_LONG = f"> {CUT_SECONDS}"
# Messages of the baselines do not contain the instant that they belong to.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """From the spawning of beat until an entry that is due has fired."""

    seconds: Figure
    cpu_seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Percent of one core that is used while nothing is due."""

    beat_percent: float
    postgresql_percent: float
    valkey_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """From the call that saves an entry, due by its new schedule, until it fired."""

    seconds: Figure
    beat_cpu_seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Entries that come due at one instant, until all have fired or it is cut."""

    due: int
    fired: int
    seconds: float
    fires_per_second: float
    beat_cpu_ms_per_fire: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Entries that come due one after the other, evenly."""

    due_per_second: float
    fired_per_second: float
    late_p50_seconds: Figure
    late_p99_seconds: Figure


def cut(seconds: float) -> Figure:
    return seconds if seconds < CUT_SECONDS else TOO_LONG
