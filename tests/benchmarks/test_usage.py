from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.usage import resident_mb, tree_cpu_seconds

SPIN = "import time\nwhile time.process_time() < 0.2: pass\n"
SPIN_IN_CHILD = (
    f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])\n"
)
WAIT = "print(flush=True); input()"


def test_the_cpu_of_a_child_that_ended_still_counts() -> None:
    before = tree_cpu_seconds(os.getpid())

    subprocess.run([sys.executable, "-c", SPIN], check=True)  # noqa: S603 - our own

    assert tree_cpu_seconds(os.getpid()) - before >= 0.15


def test_the_cpu_of_a_living_descendant_counts() -> None:
    command = [sys.executable, "-c", SPIN_IN_CHILD + WAIT]

    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = tree_cpu_seconds(process.pid)
        process.communicate(b"\n")

    assert used >= 0.15


def test_a_process_that_has_ended_used_no_cpu() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert tree_cpu_seconds(process.pid) == 0


def test_memory_that_is_touched_is_resident() -> None:
    before = resident_mb(os.getpid())

    held = b"x" * 50_000_000

    assert resident_mb(os.getpid()) - before >= 0.9 * len(held) / 1e6
