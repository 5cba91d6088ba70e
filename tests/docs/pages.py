from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[tuple[str, str]]:
    """Return (page, text) of all fenced blocks whose info string is `kind`."""
    return [
        (page.name, text)
        for page in sorted(DOCS.glob("*.md"))
        for info, text in _BLOCK.findall(page.read_text())
        if info == kind
    ]


def only_block(kind: str) -> str:
    """Return the text of the only fenced block whose info string is `kind`."""
    [(_page, text)] = blocks(kind)
    return text
