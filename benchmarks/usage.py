from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    ticks: int


def tree_cpu_seconds(root: int) -> float:
    """Return the CPU seconds, user and system, of a process and its descendants.

    A child that ended counts for the parent that waited for it.
    """
    return sum(process.ticks for process in _tree(root)) / _TICKS_PER_SECOND


def largest_mb(root: int) -> float:
    """Return the memory of the largest descendant of a process, in MB."""
    return max((resident_mb(p.pid) for p in _tree(root) if p.pid != root), default=0.0)


def _tree(root: int) -> Iterator[_Process]:
    children: dict[int, list[_Process]] = defaultdict(list)
    waiting = []
    for process in _processes():
        children[process.parent].append(process)
        if process.pid == root:
            waiting.append(process)
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children[process.pid]


def _processes() -> Iterator[_Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        # proc(5): what follows the name in parentheses starts with field 3.
        fields = stat.rsplit(")", 1)[1].split()
        ticks = sum(int(field) for field in fields[11:15])
        yield _Process(int(folder.name), parent=int(fields[1]), ticks=ticks)


def children_of(root: int) -> list[int]:
    return [process.pid for process in _processes() if process.parent == root]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0  # it has ended
