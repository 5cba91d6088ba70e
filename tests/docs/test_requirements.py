from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "dev" / "requirements.md").read_text()
LINES = re.findall(r"^- \*\*R(\d+)\*\* .+? — (.+)$", PAGE, re.MULTILINE)
DECISIONS = re.findall(r"^- \*\*D(\d+)\*\* .+\n  → (.+)$", PAGE, re.MULTILINE)
PATH = re.compile(r"`((?:\w+/)[^`\s]+|Procfile|\.env\.example)`")


def test_every_requirement_is_listed_once_and_in_order() -> None:
    assert [int(number) for number, _met in LINES] == list(range(1, 435))


def test_every_decision_is_listed_once_and_in_order() -> None:
    assert [int(number) for number, _met in DECISIONS] == list(range(1, 31))


def test_a_requirement_names_where_it_is_met_or_what_is_missing() -> None:
    silent = [
        number
        for number, met in LINES
        if not PATH.search(met) and not met.startswith("not yet: ")
    ]

    assert silent == []


def test_every_path_in_the_list_exists() -> None:
    named = {path for _number, met in LINES + DECISIONS for path in PATH.findall(met)}

    assert sorted(path for path in named if not (ROOT / path).exists()) == []
