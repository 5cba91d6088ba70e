"""`make up` on a disk that becomes full: it recovers by itself once there is space."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.embedded.process import kill_group, spawn
from local.environment import ROOT, read_json
from local.report import fetch_json, is_ready
from tests.acceptance.stack import free_port
from tests.acceptance.waiting import wait_for
from tests.chaos.scale import IS_LONG

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not IS_LONG, reason="takes minutes: CHAOS=long"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk"),
]

DISK = "240m"
MEGABYTE = bytes(2**20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A running `make up` whose data folder is on a small disk."""

    process: subprocess.Popen[bytes]
    url: str
    disk: Path
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def processes(self) -> dict[str, int]:
        return dict(read_json(self.disk / "data" / "stack.json")["processes"])

    def fill(self) -> None:
        with (self.disk / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(MEGABYTE):
                    pass
            except OSError:
                return

    def free(self) -> None:
        (self.disk / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    # The servers' user cannot enter pytest's own folders.
    folder = Path("/var/tmp") / f"tickhook-disk-{os.getpid()}"  # noqa: S108 - a mount
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)]
    if subprocess.run(mount, check=False).returncode:  # noqa: S603 - no shell
        folder.rmdir()
        pytest.skip("this machine allows no mount")
    yield folder
    subprocess.run(["/bin/umount", "-l", str(folder)], check=True)  # noqa: S603
    folder.rmdir()


@pytest.fixture
def up(disk: Path, tmp_path: Path) -> Iterator[Up]:
    port, log = free_port(), tmp_path / "up.log"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = spawn(
        [sys.executable, "-m", "local", "up"],
        folder=ROOT,
        log=log,
        environment=kept
        | {"TICKHOOK_DATA": str(disk / "data"), "TICKHOOK_DEMO": "0"}
        | {"TICKHOOK_PORT": str(port), "FLOWER_PORT": str(free_port())},
        death_signal=signal.SIGTERM,
    )
    made = Up(process=process, url=f"http://127.0.0.1:{port}", disk=disk, log=log)
    try:
        wait_for(lambda: "is running." in made.output, timeout_seconds=120)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            kill_group(process)


def test_all_programs_recover_once_there_is_space(up: Up) -> None:
    token = read_json(up.disk / "data" / "credentials.json")["api_token"]
    before = up.processes()
    up.fill()
    for name in ("flower", "worker", "postgres"):
        os.kill(before[name], signal.SIGKILL)

    wait_for(lambda: "No space left on device" in up.output, timeout_seconds=60)
    wait_for(lambda: "postgres could not be started" in up.output, timeout_seconds=60)
    assert up.process.poll() is None
    assert not is_ready(up.url)
    assert up.output.count("Recording the processes failed") == 1

    up.free()

    wait_for(lambda: is_ready(up.url), timeout_seconds=90)
    wait_for(lambda: set(up.processes()) == set(before), timeout_seconds=90)
    assert "Recording the processes works again." in up.output
    assert fetch_json(up.url, "/api/v1/triggers", token=token)
