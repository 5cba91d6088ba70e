"""How logins with a name fare: for the people who manage accounts."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from access.login_limits import (
    FAILURES_OF_NAME_WITHOUT_DELAY,
    pairs_key,
    window_of_name,
    window_of_pair,
)
from common.rate_limits import NOT_LIMITED, Use, count_in_windows
from common.redis import ask_redis

# Of a name that more addresses try, the latest count.
MOST_PAIRS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """The failed logins of a name in the last five minutes, and what they cause.

    If `is_delayed`, each caller waits some seconds before an attempt. The address that
    must wait longest is refused for `refused_seconds`; 0 if none is.
    """

    failures: int
    is_delayed: bool
    refused_seconds: int


def read_login_state(name: str) -> LoginState | None:
    """Return the state of a name; None while Redis does not answer."""
    window = window_of_name(name)
    counted = count_in_windows({window: Use.COUNT_AND_REPORT}, wanted=0)
    pairs = ask_redis(lambda client: _pairs(client, name), otherwise=None)
    if counted is NOT_LIMITED or pairs is None:
        return None
    refused = 0
    if pairs:
        looks = {window_of_pair(pair): Use.LOOK for pair in pairs[-MOST_PAIRS:]}
        found = count_in_windows(looks)
        refused = 0 if found.is_allowed else found.retry_after_seconds
    failures = window.limit - counted.remaining
    return LoginState(
        failures=failures,
        is_delayed=failures >= FAILURES_OF_NAME_WITHOUT_DELAY,
        refused_seconds=refused,
    )


def allow_logins(name: str) -> bool:
    """Forget the failed logins of a name; return False if Redis does not answer.

    Addresses that failed with many names stay refused.
    """

    def forget(client: redis.Redis) -> bool:
        pairs = _pairs(client, name)
        of_name = window_of_name(name)
        client.delete(
            of_name.key,
            pairs_key(of_name),
            *(window_of_pair(pair).key for pair in pairs),
        )
        return True

    return ask_redis(forget, otherwise=False)


def _pairs(client: redis.Redis, name: str) -> list[str]:
    found = client.zrange(pairs_key(window_of_name(name)), 0, -1)
    return [pair.decode() for pair in found if isinstance(pair, bytes)]
