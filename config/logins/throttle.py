from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.utils.crypto import salted_hmac

from common.addresses import parse_address, subject_of
from common.errors import RateLimited
from config.logins import windows
from config.logins.turns import Turns
from webhooks.limits.windows import Window

WINDOW_SECONDS = 300
MAX_FAILURES_OF_PAIR = 5
MAX_FAILURES_OF_ADDRESS = 50
# Beyond this a caller waits for some seconds; others cannot lock the right person out.
UNPACED_FAILURES_OF_NAME = 20
_UNLIMITED = 1_000_000_000

turns = Turns()


class LoginThrottled(RateLimited):
    """Too many logins failed; try again later."""

    code = "login_throttled"

    def __init__(self, wait_seconds: int) -> None:
        detail = f"Too many logins failed; try again in {wait_seconds} seconds"
        super().__init__(detail, retry_after_seconds=wait_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that is tried; it counts as failed until it is taken back."""

    counted_in: list[Window]

    def take_back(self) -> None:
        """Count it no more: it succeeded, or the password was not looked at."""
        windows.take_back(self.counted_in)


def begin_attempt(*, address: str, name: str) -> Attempt:
    """Count an attempt before the password is looked at; raise LoginThrottled.

    Counting first holds the limits however many attempts come at the same moment.
    """
    name = unicodedata.normalize("NFKC", name)
    parsed = parse_address(address)
    subject = address if parsed is None else subject_of(parsed)
    pair = _digest(subject, name)
    of_name = _window("name", _digest(name), _UNLIMITED)
    attempt = Attempt(
        counted_in=[
            _window("pair", pair, MAX_FAILURES_OF_PAIR),
            _window("address", _digest(subject), MAX_FAILURES_OF_ADDRESS),
            of_name,
        ]
    )
    if wait := windows.count(attempt.counted_in):
        raise LoginThrottled(wait)
    is_paced = windows.has_more_than(UNPACED_FAILURES_OF_NAME, of_name)
    if is_paced and (wait := turns.wait_seconds(pair)):
        attempt.take_back()
        raise LoginThrottled(wait)
    return attempt


def _window(kind: str, subject: str, limit: int) -> Window:
    return Window(f"login-{kind}", subject, limit, WINDOW_SECONDS)


def _digest(*texts: str) -> str:
    """Return what stands for a caller in Redis: no name is readable there."""
    joined = "\0".join(texts)
    return salted_hmac("tickhook.logins", joined, algorithm="sha256").hexdigest()[:32]
