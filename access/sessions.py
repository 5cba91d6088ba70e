"""The sessions of people who are logged in: their model, and Django's session engine.

The key of a session is its secret: it is in the cookie and in the primary key, and
nowhere else. People and URLs name a session by its `public_id`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import Error as DatabaseFailure
from django.db import models, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from access.browsers import describe_browser
from common.addresses import parse_address
from common.ids import uuid7

SEEN_EVERY = timedelta(minutes=1)


class Session(AbstractBaseSession):
    """What the server remembers of one browser: usually, who is logged in there."""

    public_id = models.UUIDField(default=uuid7, editable=False)
    # Without a constraint: a request that saves its session while the user is deleted
    # must not fail. Without its user, a session logs in no user.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        db_constraint=False,
        related_name="sessions",
    )
    began_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    address = models.CharField(max_length=45, blank=True, default="")
    browser = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("public_id",), name="access_session_public_id"
            ),
        )

    def __str__(self) -> str:
        """Return no key: the admin lists the rows that go with a deleted user."""
        return self.browser or str(self.public_id)

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Where a request came from."""

    address: str
    user_agent: str

    @property
    def browser(self) -> str:
        return describe_browser(self.user_agent)


class SessionStore(db.SessionStore):
    """Django's sessions in the database, in rows that people can recognize.

    A session that has ended cannot come back: all changes of an existing one are
    UPDATEs of its row.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.client: Client | None = None
        self._row: Session | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        """Return the data of the session; delete it if its user was deactivated."""
        rows = Session.objects.filter(
            session_key=self.session_key, expire_date__gt=timezone.now()
        )
        row = rows.annotate(has_active_user=F("user__is_active")).first()
        if row is not None and row.has_active_user is False:
            rows.delete()
            row = None
        self._row = row
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.session_data)

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = super().create_model_instance(data)
        assert isinstance(row, Session)  # noqa: S101 - see get_model_class
        user_id = data.get(SESSION_KEY)
        row.user_id = None if user_id is None else int(user_id)
        before, client = self._row, self.client
        if before is not None:
            if before.session_key == row.session_key:
                row.public_id = before.public_id
            row.address, row.browser = before.address, before.browser
            if before.user_id == row.user_id:
                row.began_at = before.began_at
        if client is not None:
            row.address, row.browser = client.address, client.browser
        self._row = row
        return row

    def cycle_key(self) -> None:
        """Replace the key; raise SessionInterrupted if the session has ended.

        Django inserts a second row and deletes the first, which could be gone by then.
        """
        self._get_session()  # type: ignore[attr-defined]  # not in the stubs
        old = self.session_key
        if old is None:
            super().cycle_key()
            return
        new = self._get_new_session_key()  # type: ignore[attr-defined]  # likewise
        if not Session.objects.filter(session_key=old).update(session_key=new):
            raise SessionInterrupted("The session was ended during the request.")
        self._session_key = new
        if self._row is not None:
            self._row.session_key = new
        self.modified = True

    def flush(self) -> None:
        super().flush()
        self._row = None

    def record_use(self) -> None:
        """Store when and from where the session was last used, once a minute at most.

        If the database cannot write, the answer is still right; a later request stores
        it.
        """
        row, client = self._row, self.client
        before = timezone.now() - SEEN_EVERY
        if row is None or client is None or row.last_seen_at > before:
            return
        unseen = Session.objects.filter(
            session_key=self.session_key, last_seen_at__lte=before
        )
        with suppress(DatabaseFailure), transaction.atomic():
            unseen.update(
                last_seen_at=timezone.now(),
                address=client.address,
                browser=client.browser,
            )


class RecordedSessions:
    """Record the use of sessions; to be placed after Django's SessionMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        session = request.session
        assert isinstance(session, SessionStore)  # noqa: S101 - settings.SESSION_ENGINE
        session.client = Client(
            address=address_of(request),
            user_agent=request.headers.get("User-Agent", ""),
        )
        response = self._get_response(request)
        session.record_use()
        return response


def address_of(request: HttpRequest) -> str:
    """Return the address of the caller; empty for a socket."""
    address = parse_address(request.META.get("REMOTE_ADDR", ""))
    return "" if address is None else str(address)
