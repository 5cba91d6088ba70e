"""The files that the stack leaves in its data folder, for its owner's eyes only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def make_data_folder(data: Path) -> None:
    """Make the data folder; root's servers run as another user, who passes through."""
    data.mkdir(parents=True, exist_ok=True)
    if data.stat().st_uid == os.geteuid():
        data.chmod(0o711 if os.geteuid() == 0 else 0o700)


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Replace the file at `path` at once and whole, with mode 600."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file, or an empty one if there is no file."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
