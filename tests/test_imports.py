"""The import graph of the product has no cycles, whatever the kind of import."""

from __future__ import annotations

import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent.name
    for path in ROOT.glob("*/__init__.py")
    if path.parent.name not in {"tests", "benchmarks"}
)


def cycle_in(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of one cycle, each imported by the next; empty if none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        modules: list[str] = error.args[1]
        return modules
    return []


def test_a_cycle_is_found() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (
        ["b", "c", "b"],
        ["c", "b", "c"],
    )


def test_no_modules_import_each_other() -> None:
    """Imports for the type checker only and imports within functions count."""
    assert str(ROOT) in sys.path or Path.cwd() == ROOT
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)

    imports = {
        module: graph.find_modules_directly_imported_by(module)
        for module in graph.modules
    }

    assert {"senders.signatures", "webserver.adapter"} <= set(imports)
    assert cycle_in(imports) == []
