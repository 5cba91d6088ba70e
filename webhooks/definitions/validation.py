from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from common.errors import Fault

MAX_FAULTS = 20
MAX_DETAIL_LENGTH = 300


def find_faults(data: Mapping[str, Any]) -> list[Fault]:
    """Return where `data` differs from `schema.json`, at most 20 places."""
    try:
        errors = list(_validator().iter_errors(data))
    except RecursionError:  # jsonschema quotes the value, however deep it is
        return [Fault("", "is nested too deeply")]
    return [_as_fault(error) for error in errors[:MAX_FAULTS]]


@cache
def _validator() -> Validator:
    schema = json.loads(files(__package__).joinpath("schema.json").read_bytes())
    validator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # has no stub
        Draft202012Validator, {"pattern": _check_pattern}
    )
    return validator(schema)


def _check_pattern(
    validator: Validator, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """Match with re2: the instance may be a stranger's."""
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _matches(pattern: str, text: str) -> bool:
    try:
        return re2.search(pattern, text) is not None
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _as_fault(error: ValidationError) -> Fault:
    tokens = (str(token) for token in error.absolute_path)
    escaped = (token.replace("~", "~0").replace("/", "~1") for token in tokens)
    pointer = "".join(f"/{token}" for token in escaped)
    return Fault(pointer, error.message[:MAX_DETAIL_LENGTH])
