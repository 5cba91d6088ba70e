"""Each program ends at its start with a reason if a pooler would mix up statements."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local.environment import ROOT
from tests.acceptance.databases import program_environment
from tests.acceptance.stack import free_port
from tests.servers.pgbouncer import pgbouncer

PROGRAMS = {
    "web": ("granian", "--interface", "asginl", "--respawn-failed-workers",
            "--workers", "2", "--port", "{port}", "config.asgi:application"),
    "worker": ("celery", "-A", "config", "worker", "-c", "1"),
    "beat": ("celery", "-A", "config", "beat"),
}  # fmt: skip


def test_no_program_starts_with_a_pooler_that_mixes_up_statements(
    tmp_path: Path,
) -> None:
    port, said = str(free_port()), {}
    with pgbouncer(tmp_path / "pgbouncer") as url:
        environment = program_environment(DATABASE_URL=url)
        running = {
            name: subprocess.Popen(  # noqa: S603 - no shell
                [word.format(port=port) for word in command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for name, command in PROGRAMS.items()
        }
        try:
            for name, process in running.items():
                said[name], _ = process.communicate(timeout=200)
        finally:
            for process in running.values():
                process.kill()
                process.wait()

    advice = "Add ?prepare_threshold=none to DATABASE_URL"
    assert [name for name in PROGRAMS if advice not in said[name]] == []
