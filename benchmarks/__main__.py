"""Runs all benchmarks on the working tree and writes their tables to results.md."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

from benchmarks.report import commit
from benchmarks.servers import ROOT

RESULTS = ROOT / "benchmarks" / "results.md"
BENCHMARKS = {
    "Receiving webhooks": "bench_ingest",
    "Processing events": "bench_pipeline",
    "A backlog of tasks": "bench_queue",
    "The clock": "bench_schedule",
    "Attacks": "bench_attacks",
}


def main() -> None:
    parts = [_heading()]
    for title, module in BENCHMARKS.items():
        command = [sys.executable, "-m", f"benchmarks.{module}"]
        ended = subprocess.run(  # noqa: S603 - our own modules
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
        parts.append(f"## {title}: `{module}.py`\n\n{ended.stdout}")
        print(parts[-1])
    RESULTS.write_text("\n".join(parts))
    print(f"Written to {RESULTS.relative_to(ROOT)}")


def _heading() -> str:
    today = datetime.now(UTC).date().isoformat()
    return (
        f"# Results\n\n{today}, commit {commit()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}. Made by `make bench`; "
        "[`docs/benchmarks.md`](../docs/benchmarks.md) explains the figures.\n"
    )


if __name__ == "__main__":
    main()
