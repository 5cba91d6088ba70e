from __future__ import annotations

from conditions.operators.base import Test, operator


@operator("exists", opposites=("not_exists",), check=None, judges_null=True)
def exists(expected: None) -> Test:
    """Be in the document, if only as null."""
    return lambda actual: True


@operator("is_not_empty", opposites=("is_empty",), check=None)
def is_not_empty(expected: None) -> Test:
    """Be in the document and neither null, "", [] nor {}; 0 and false are values."""
    return lambda actual: actual not in ("", [], {})
