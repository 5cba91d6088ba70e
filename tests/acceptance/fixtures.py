"""Fixtures and hooks for tests with real processes; `conftest.py` files import them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.stack import Stack, running_stack

_STACK = pytest.StashKey[Stack]()
_FIGURES = pytest.StashKey[list[str]]()


@contextmanager
def shown_stack(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Yield a stack; the report of a test that fails meanwhile shows its logs."""
    with running_stack(folders.mktemp("stack")) as made:
        request.config.stash[_STACK] = made
        try:
            yield made
        finally:
            del request.config.stash[_STACK]


@pytest.fixture
def note_figure(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Return a function that stores a figure for the summary of the run."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda name, value: figures.append(f"{request.node.name}: {name} {value}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if figures := config.stash.get(_FIGURES, []):
        terminalreporter.section("measured")
        for figure in figures:
            terminalreporter.line(figure)
        figures.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the programs' logs to the report of a test that failed."""
    report = yield
    if report.failed:
        made = item.config.stash.get(_STACK, None)
        report.sections += made.log_tails() if made else []
    return report
