from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Named adapters of one kind; each module registers its own when it is imported."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated object; raise ValueError if the name is taken."""

        def register(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return register

    def __getitem__(self, name: str) -> T:
        """Return the object with this name; raise KeyError if there is none."""
        return self._items[name]

    def get(self, name: str) -> T | None:
        return self._items.get(name)

    def names(self) -> list[str]:
        return sorted(self._items)


def import_modules(package: str) -> None:
    """Import every module of a package, so that its adapters register themselves."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(path, prefix=f"{package}."):
        importlib.import_module(module.name)
