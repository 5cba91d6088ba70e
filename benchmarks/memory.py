from __future__ import annotations

from pathlib import Path


def resident_mb(pid: int) -> float:
    """Return how much memory of a process is in RAM, in MB of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0  # it has ended
