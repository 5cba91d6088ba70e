from __future__ import annotations

import pytest

from common.registry import Registry


def test_a_registered_object_is_found_by_name() -> None:
    registry: Registry[int] = Registry("number")
    registry.register("two")(2)
    registry.register("one")(1)

    assert registry.get("one") == registry["one"] == 1
    assert registry.get("three") is None
    with pytest.raises(KeyError):
        registry["three"]
    assert registry.names() == ["one", "two"]


def test_a_name_taken_twice_is_an_error() -> None:
    registry: Registry[int] = Registry("number")
    registry.register("one")(1)

    with pytest.raises(ValueError, match="number 'one' is registered twice"):
        registry.register("one")(1)
