"""What people do with accounts: see and end sessions, and change passwords."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from access.callers import caller_of
from access.sessions import Session

logger = logging.getLogger(__name__)

MOST_SHOWN = 100


def may_manage_accounts(request: HttpRequest) -> bool:
    """Return whether a person may see and end the sessions of any user."""
    caller = caller_of(request)
    return not caller.subject and caller.has_perm("auth.change_user")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSession:
    """A session as pages show it, without its key."""

    public_id: UUID
    began_at: datetime
    last_seen_at: datetime
    address: str
    browser: str
    is_current: bool


def find_sessions(*, user: User, current_key: str | None) -> list[ShownSession]:
    """Return the user's sessions that were seen last, at most 100 of them."""
    rows = Session.objects.filter(user=user, expire_date__gt=timezone.now())
    return [
        ShownSession(
            public_id=row.public_id,
            began_at=row.began_at,
            last_seen_at=row.last_seen_at,
            address=row.address,
            browser=row.browser,
            is_current=row.session_key == current_key,
        )
        for row in rows.defer("session_data").order_by("-last_seen_at")[:MOST_SHOWN]
    ]


def is_session(*, public_id: UUID, key: str | None) -> bool:
    """Return whether the session with this id has this key."""
    return Session.objects.filter(public_id=public_id, session_key=key).exists()


def end_session(*, user: User, public_id: UUID, by: int | None) -> bool:
    """End a session of a user; return False if it has already ended.

    `by` is the id of the person who ends it.
    """
    ended, _ = Session.objects.filter(user=user, public_id=public_id).delete()
    if ended:
        logger.info("Session %s of user %s ended by user %s", public_id, user.pk, by)
    return ended > 0


def end_sessions(*, user: User, by: int | None, kept_key: str | None = None) -> int:
    """End the sessions of a user, except the one with the kept key; return how many."""
    sessions = Session.objects.filter(user=user)
    if kept_key is not None:
        sessions = sessions.exclude(session_key=kept_key)
    ended, _ = sessions.delete()
    if ended:
        logger.info("%d sessions of user %s ended by user %s", ended, user.pk, by)
    return ended


def record_password_change(
    *, user: User, by: int | None, kept_key: str | None = None
) -> None:
    """Log that a password was changed, and end the sessions that it had opened.

    Django rejects them anyway, by the hash of the password: this ends them at once.
    """
    logger.info("Password of user %s changed by user %s", user.pk, by)
    end_sessions(user=user, by=by, kept_key=kept_key)
