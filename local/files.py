"""The files that the stack leaves in its data folder, for its owner's eyes only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROBE_BYTES = 64 * 1024


class DataFolderUnusableError(RuntimeError):
    """The data folder cannot be written to."""


def make_data_folder(data: Path) -> None:
    """Make the data folder; raise DataFolderUnusableError if it cannot hold a file.

    Servers that root starts run as another user, who has to pass through.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        if data.stat().st_uid == os.geteuid():
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        _write_probe(data / "stack.probe")
    except OSError as error:
        raise DataFolderUnusableError(
            f"TICKHOOK_DATA: cannot write to {data} ({error.strerror}). Make the "
            "folder writable and free some space, or set TICKHOOK_DATA to another "
            "folder."
        ) from error


def _write_probe(path: Path) -> None:
    """Write a small file and delete it, so that a full disk is noticed at the start."""
    try:
        path.write_bytes(bytes(_PROBE_BYTES))
    finally:
        path.unlink(missing_ok=True)


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Replace the file at `path` at once and whole, with mode 600.

    An OSError names the file; what was there before is still there then.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file, or an empty one if there is no file."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
