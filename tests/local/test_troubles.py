from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from local.files import DataFolderUnusableError, make_data_folder
from local.troubles import Troubles, describe_os_error, little_space

WAY_OUT = "Free some space on this disk. Tickhook goes on and tries again."


def fail(number: int, path: str = "/data/stack.json") -> None:
    raise OSError(number, os.strerror(number), path)


def test_a_trouble_is_reported_once_and_so_is_its_end() -> None:
    said: list[str] = []
    known = Troubles(said.append)

    for _ in range(3):
        with known.survive("Noting"):
            fail(errno.ENOSPC)
    for _ in range(3):
        with known.survive("Noting"):
            pass

    assert said == [
        f"Noting failed: /data/stack.json: No space left on device. {WAY_OUT}",
        "Noting works again.",
    ]


def test_a_trouble_that_changes_is_reported_again() -> None:
    said: list[str] = []
    known = Troubles(said.append)

    for number in (errno.ENOSPC, errno.EACCES, errno.EIO):
        with known.survive("Noting"):
            fail(number)

    assert [line.partition(": ")[2].split(".")[1] for line in said] == [
        "json: No space left on device",
        "json: Permission denied",
        "json: Input/output error",
    ]


def test_other_errors_are_not_survived() -> None:
    with pytest.raises(ValueError, match="ours"), Troubles(print).survive("Noting"):
        raise ValueError("ours")


def test_an_error_without_a_file_is_described_by_its_reason() -> None:
    described = describe_os_error(OSError(errno.EROFS, "Read-only file system"))

    assert described == (
        "Read-only file system. Make it writable for the user that runs Tickhook."
    )


def test_an_almost_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert little_space(tmp_path) is None
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert str(tmp_path) in str(little_space(tmp_path))


def test_a_data_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(DataFolderUnusableError) as refusal:
        make_data_folder(tmp_path / "data")

    assert str(refusal.value).startswith(f"TICKHOOK_DATA: cannot write to {tmp_path}")


def test_a_full_disk_is_refused_at_the_start_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(DataFolderUnusableError, match="No space left on device"):
        make_data_folder(tmp_path / "data")

    assert list((tmp_path / "data").iterdir()) == []
