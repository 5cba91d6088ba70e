"""What the running stack cannot do for now, and goes on without."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_LITTLE_SPACE_BYTES = 64 * 1024 * 1024


class Troubles:
    """Reports each trouble once, again when it changes, and when it is over."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: dict[str, str] = {}

    @contextmanager
    def survive(self, act: str) -> Iterator[None]:
        """Go on after an OSError, which is reported as the failure of `act`."""
        try:
            yield
        except OSError as error:
            self.note(act, f"{act} failed: {describe_os_error(error)}")
        else:
            self.note(act, None)

    def note(self, name: str, problem: str | None) -> None:
        """Report a trouble by its name, or its end if the problem is None."""
        if problem is None:
            if name in self._known:
                del self._known[name]
                self._say(f"{name} works again.")
        elif self._known.get(name) != problem:
            self._known[name] = problem
            self._say(f"{problem} Tickhook goes on and tries again.")


def describe_os_error(error: OSError) -> str:
    """Return what failed, on which file, and what to do about it."""
    place = f"{error.filename}: " if error.filename else ""
    reason = f"{place}{error.strerror or error}."
    if error.errno in _FULL:
        return f"{reason} Free some space on this disk."
    if error.errno in _UNWRITABLE:
        return f"{reason} Make it writable for the user that runs Tickhook."
    return reason


def little_space(folder: Path) -> str | None:
    """Return a warning if the disk of a folder is almost full."""
    free = shutil.disk_usage(folder).free
    if free >= _LITTLE_SPACE_BYTES:
        return None
    # A fixed text: the number changes with each look.
    limit = _LITTLE_SPACE_BYTES // 2**20
    return (
        f"Less than {limit} MB are free on the disk of {folder}: PostgreSQL stops when "
        "it is full. Free some space."
    )
