from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from local.environment import (
    DataFolderUnusableError,
    describe_little_space,
    make_data_folder,
)
from local.supervisor import FailureReporter, describe_os_error

WAY_OUT = "Free some space on this disk. Tickhook continues and tries again."


def fail(number: int, path: str = "/data/stack.json") -> None:
    raise OSError(number, os.strerror(number), path)


def test_a_failure_is_reported_once_and_so_is_its_end() -> None:
    said: list[str] = []
    reporter = FailureReporter(said.append)

    for _ in range(3):
        with reporter.survive("Writing"):
            fail(errno.ENOSPC)
    for _ in range(3):
        with reporter.survive("Writing"):
            pass

    assert said == [
        f"Writing failed: /data/stack.json: No space left on device. {WAY_OUT}",
        "Writing works again.",
    ]


def test_a_failure_that_changes_is_reported_again() -> None:
    said: list[str] = []
    reporter = FailureReporter(said.append)

    for number in (errno.ENOSPC, errno.EACCES, errno.EIO):
        with reporter.survive("Writing"):
            fail(number)

    assert [line.partition(": ")[2].split(".")[1] for line in said] == [
        "json: No space left on device",
        "json: Permission denied",
        "json: Input/output error",
    ]


def test_other_errors_are_not_survived() -> None:
    with (
        pytest.raises(ValueError, match="ours"),
        FailureReporter(print).survive("Writing"),
    ):
        raise ValueError("ours")


def test_an_error_without_a_file_is_described_by_its_reason() -> None:
    described = describe_os_error(OSError(errno.EROFS, "Read-only file system"))

    assert described == (
        "Read-only file system. Make it writable for the user that runs Tickhook."
    )


def test_a_warning_names_an_almost_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert describe_little_space(tmp_path) is None
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert str(tmp_path) in str(describe_little_space(tmp_path))


def test_the_error_for_a_data_folder_that_is_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(DataFolderUnusableError) as refusal:
        make_data_folder(tmp_path / "data")

    assert str(refusal.value).startswith(f"TICKHOOK_DATA: cannot write to {tmp_path}")


def test_a_full_disk_is_an_error_at_the_start_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(DataFolderUnusableError, match="No space left on device"):
        make_data_folder(tmp_path / "data")

    assert list((tmp_path / "data").iterdir()) == []
