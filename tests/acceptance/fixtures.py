"""Fixtures and hooks for tests with real processes; `conftest.py` imports them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.stack import Stack, running_stack

_STACKS = pytest.StashKey[list[Stack]]()
_FIGURE = "figure"


@contextmanager
def shown_stack(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Yield a stack; the report of a test that fails meanwhile shows its logs."""
    with running_stack(folders.mktemp("stack")) as made:
        running = request.config.stash.setdefault(_STACKS, [])
        running.append(made)
        try:
            yield made
        finally:
            running.remove(made)


@pytest.fixture
def note_figure(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Return a function that stores a figure for the summary of the run."""
    properties = request.node.user_properties
    return lambda name, value: properties.append((_FIGURE, f"{name} {value}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show all figures; the reports bring them from the workers of pytest-xdist."""
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == _FIGURE and report.when == "call"
    ]
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the programs' logs to the report of a test that failed."""
    report = yield
    if report.failed:
        for made in item.config.stash.get(_STACKS, []):
            report.sections += made.log_tails()
    return report
