from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from executions.models import ExecutionStatus, Reason
from tests.docs.pages import DOCS, ROOT
from webhooks.receiver.checks import check_request

LINK = re.compile(r"\]\(([a-z-]+\.md|README\.md)\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|\.env\.example|Makefile|pyproject\.toml)`")
STEP = re.compile(r"^\d+\. `(\w+)`", re.MULTILINE)
MOST_LINES = 80
# Pages with one line for each file or webhook type.
LISTS = {"architecture.md", "extracted-fields.md", "senders.md"}
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


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_is_named_exists(name: str) -> None:
    paths = set(PATH.findall((ROOT / name).read_text()))

    assert paths
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_the_order_of_checks_is_that_of_the_code() -> None:
    code = inspect.getsource(check_request)

    described = _steps_under("## The receiver: the order of its checks")

    places = [code.find(f"{name}(") for name in described]
    assert len(described) == 13
    assert -1 not in places
    assert places == sorted(places)


def test_each_step_of_the_pipeline_is_a_module() -> None:
    modules = {path.stem for path in (ROOT / "executions" / "pipeline").glob("*.py")}

    described = _steps_under("## The pipeline: the order of its steps")

    assert len(described) == 9
    assert set(described) <= modules


def _steps_under(heading: str) -> list[str]:
    """Return the names that begin the numbered steps of a section."""
    page = (DOCS / "architecture.md").read_text()
    section = page.split(heading)[1].split("\n## ")[0]
    return STEP.findall(section)
