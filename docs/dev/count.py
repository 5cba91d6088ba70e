"""Counts what a newcomer has to read: files, small private functions, longest function.

Run from the root of the repository: `python docs/dev/count.py`, with `--list` to name
the functions and files. `docs/dev/trace.py` counts the files on the main paths.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "access",
    "agents",
    "attention",
    "common",
    "conditions",
    "config",
    "events",
    "executions",
    "local",
    "senders",
    "triggers",
    "webhooks",
    "webserver",
)
SMALL_FUNCTION_LINES = 5
SMALL_FILE_LINES = 30

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function or method, and in how many places of its file it is named."""

    path: Path
    name: str
    body_lines: int
    lines: int
    uses: int

    @property
    def is_private(self) -> bool:
        return self.name.startswith("_") and not self.name.startswith("__")

    @property
    def is_small_with_one_caller(self) -> bool:
        is_small = self.body_lines <= SMALL_FUNCTION_LINES
        return self.is_private and self.uses == 1 and is_small


def product_files(root: Path) -> list[Path]:
    """Return the Python files of the product packages, without migrations."""
    return sorted(
        path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if "migrations" not in path.parts
    )


def functions_of(path: Path) -> Iterator[Function]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = Counter(_names_used(tree))
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            yield Function(
                path=path,
                name=node.name,
                body_lines=_lines_of_body(node),
                lines=(node.end_lineno or node.lineno) - node.lineno + 1,
                uses=names[node.name],
            )


def _names_used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _lines_of_body(node: FunctionNode) -> int:
    """Return the lines after the signature, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name what is counted")
    options = parser.parse_args()
    files = product_files(Path.cwd())
    functions = [function for path in files for function in functions_of(path)]
    small_files = [
        path
        for path in files
        if 0 < len(path.read_text(encoding="utf-8").splitlines()) < SMALL_FILE_LINES
    ]
    splinters = [one for one in functions if one.is_small_with_one_caller]
    longest = max(functions, key=lambda one: one.lines)
    per_package = Counter(path.relative_to(Path.cwd()).parts[0] for path in files)
    rows = [
        f"{len(files):6} Python files ({dict(per_package)})",
        f"{len(small_files):6} of them under {SMALL_FILE_LINES} lines and not empty",
        f"{sum(one.is_private for one in functions):6} private functions",
        f"{len(splinters):6} with one caller and at most {SMALL_FUNCTION_LINES} lines",
        f"{longest.lines:6} lines in the longest function: {longest.name}",
    ]
    if options.list:
        rows += [
            f"  {one.path.relative_to(Path.cwd())}: {one.name}" for one in splinters
        ]
        rows += [f"  {path.relative_to(Path.cwd())}" for path in small_files]
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
