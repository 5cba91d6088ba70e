from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import TypeGuard

import re2

from common.errors import Fault, clean_text, json_pointer
from triggers.schedules.errors import InvalidSchedule

LONGEST_NAME = 100
TIME_OF_DAY = re2.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


def _is_ascii(value: object) -> TypeGuard[str]:
    """Tell what re2 can search: it raises on lone surrogates, which JSON can hold."""
    return isinstance(value, str) and value.isascii()


class ConfigReader:
    """Reads a schedule_config key by key and gathers what is wrong with it.

    A key that is missing gives its default, a wrong one its default and a fault;
    `finish` raises for all faults at once, and for keys that nobody read.
    """

    def __init__(self, config: object) -> None:
        self._config: Mapping[object, object] = {}
        self._known: list[str] = []
        self._faults: list[Fault] = []
        if isinstance(config, Mapping):
            self._config = config
        else:
            detail = "The config must be an object."
            self._faults.append(Fault("/schedule_config", detail))

    def get(self, key: str) -> object:
        self._known.append(key)
        return self._config.get(key)

    def add_fault(self, key: str, detail: str) -> None:
        self._faults.append(Fault(json_pointer("schedule_config", key), detail))

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        value = self.get(key)
        if value is None:
            return default
        if type(value) is int and low <= value <= high:  # True is an int as well
            return value
        self.add_fault(key, f"'{key}' must be a whole number from {low} to {high}.")
        return default

    def time_of_day(self, key: str, *, default: time) -> time:
        value = self.get(key)
        if value is None:
            return default
        if _is_ascii(value) and TIME_OF_DAY.fullmatch(value):
            return time.fromisoformat(value)
        self.add_fault(key, f"'{key}' must be a time of day such as '09:00'.")
        return default

    def finish(self) -> None:
        """Raise InvalidSchedule if anything was wrong or unknown."""
        known = ", ".join(self._known)
        for key in self._config:
            if key not in self._known:
                name = clean_text(str(key), limit=LONGEST_NAME)
                self.add_fault(name, f"Unknown key '{name}'; known are: {known}.")
        if self._faults:
            raise InvalidSchedule.from_faults(self._faults)
