from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import gt, lt

from conditions.operators.base import Test, UnjudgeableError, operator
from conditions.operators.checks import moment
from conditions.values import read_moment


def moment_of(actual: object) -> datetime:
    found = read_moment(actual) if isinstance(actual, str) else None
    if found is None:
        raise UnjudgeableError("an ISO 8601 date or time", actual)
    return found


def compared(compare: Callable[[datetime, datetime], bool], expected: str) -> Test:
    instant = moment_of(expected)
    return lambda actual: compare(moment_of(actual), instant)


operator("before", check=moment)(partial(compared, lt))
operator("after", check=moment)(partial(compared, gt))
