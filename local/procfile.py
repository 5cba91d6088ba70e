"""Reading the Procfile, without a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


class ProcfileError(ValueError):
    """A line of the Procfile cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One line: a name and the words of its command."""

    name: str
    command: tuple[str, ...]


class _Command(Template):
    braceidpattern = r"[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?"


class _Values(dict[str, str]):
    """Variables by `NAME` or `NAME:-default`.

    As in a shell, the default also replaces a value that is set but empty.
    """

    def __getitem__(self, key: str) -> str:
        name, has_default, default = key.partition(":-")
        if has_default:
            return self.get(name) or default
        return super().__getitem__(name)


def read_procfile(path: Path, environment: Mapping[str, str]) -> list[Program]:
    """Return the programs in their order, filled from `environment`.

    A command may name variables as `${NAME}`, or as `${NAME:-default}`.
    """
    programs = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            programs.append(_read_line(line.strip(), number, environment))
    return programs


def _read_line(line: str, number: int, environment: Mapping[str, str]) -> Program:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProcfileError(f"Procfile, line {number}: not of the form `name: command`")
    try:
        command = _Command(found["command"]).substitute(_Values(environment))
        words = shlex.split(command)
    except KeyError as missing:
        raise ProcfileError(
            f"Procfile, line {number}: {missing.args[0]} is not set"
        ) from missing
    except ValueError as error:
        raise ProcfileError(f"Procfile, line {number}: {error}") from error
    return Program(name=found["name"], command=tuple(words))
