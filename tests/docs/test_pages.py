from __future__ import annotations

import re
from pathlib import Path

import pytest

from executions.models import ExecutionStatus, Reason
from tests.docs.pages import DOCS

LINK = re.compile(r"\]\(([a-z-]+\.md|README\.md)\)")
MOST_LINES = 80
LISTS = {"requirements.md"}
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_point_to_pages(page: Path) -> None:
    dead = [
        name for name in LINK.findall(page.read_text()) if not (DOCS / name).exists()
    ]

    assert dead == []


def test_the_index_names_every_page() -> None:
    listed = set(LINK.findall((DOCS / "README.md").read_text()))

    assert {page.name for page in PAGES} - {"README.md"} == listed


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in LISTS], ids=lambda page: page.name
)
def test_a_page_is_short(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= MOST_LINES


def test_every_reason_and_status_is_explained() -> None:
    page = (DOCS / "why-did-it-not-run.md").read_text()

    words = [*Reason, *ExecutionStatus]

    assert [word for word in words if f"`{word}`" not in page] == []
