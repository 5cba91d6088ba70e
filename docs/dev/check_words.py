"""Names the lines that use a word which `docs/dev/words.txt` replaces by a plainer one.

Run from the root of the repository by `make lint`. The file holds one regular
expression; it matches whole words, in any case, in the code, tests and documentation.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt")
SUFFIXES = {".py", ".md", ".html", ".txt", ".toml", ".yml", ".example"}
NAMES = {"Makefile", "Procfile", "run"}
# They quote others: the seed documents, old commits, the schema of old releases.
QUOTES = re.compile(
    r"docs/dev/(check_words\.py|words\.txt|requirements\.md)"
    r"|CHANGELOG\.md|.*/migrations/.*"
)
# Names that are stored in databases and queues of existing installations.
STORED = re.compile(r"(run_|tickhook-)errands|webhooks_errand|errand_(due|url_unique)")


def main() -> int:
    """Print each match; return 1 if there is one."""
    words = re.compile(rf"\b({WORDS.read_text().strip()})\b", re.IGNORECASE)
    found = [
        f"{path}:{number}: {match[0]!r}"
        for path in _checked_files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for match in words.finditer(STORED.sub("", line).replace("_", " "))
    ]
    for line in found:
        print(line)  # noqa: T201 - what this program is for
    if found:
        print(  # noqa: T201
            f"{len(found)} words to replace; see the glossary in docs/architecture.md"
        )
    return 1 if found else 0


def _checked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the developer's own git
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in listed.split("\0") if name)
    return [
        path
        for path in paths
        if (path.suffix in SUFFIXES or path.name in NAMES)
        and path.is_file()
        and not QUOTES.fullmatch(str(path))
    ]


if __name__ == "__main__":
    sys.exit(main())
