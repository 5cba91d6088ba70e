"""Django's PostgreSQL backend, which also notices connections that turned useless.

Django keeps a connection for as long as the server answers on it. Two kinds answer and
are useless: one that was opened while the server was read-only, which stays read-only,
and one whose server has ended since, which fails at the next statement.
"""

from __future__ import annotations

import select

import psycopg
from django.db.backends.postgresql import base

# The server reports them by itself, at the start of a session and at each change.
_READ_ONLY_REPORTS = (b"default_transaction_read_only", b"in_hot_standby")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL that is replaced once it cannot write any more."""

    def is_usable(self) -> bool:
        """Return whether the server answers on this connection and accepts writes."""
        if self.connection is None:
            return False
        try:
            # A cursor of psycopg: Django's would note the error and wrap it.
            answer = self.connection.execute("SHOW transaction_read_only").fetchone()
        except psycopg.Error:
            return False
        return bool(answer == ("off",))

    def close_if_unusable_or_obsolete(self) -> None:
        """Close the connection if it is broken, read-only or too old.

        Django calls this at the start and the end of each request. A healthy
        connection costs no statement here.
        """
        if self._is_suspect() and not self.is_usable():
            self.close()
            return
        super().close_if_unusable_or_obsolete()

    def _is_suspect(self) -> bool:
        """Return whether the connection reports read-only, or has something to read.

        Between statements the server sends nothing but notices, and its end.
        """
        if self.connection is None or self.in_atomic_block:
            return False
        if self.connection.closed:
            return True
        pgconn = self.connection.pgconn
        reports = map(pgconn.parameter_status, _READ_ONLY_REPORTS)
        return b"on" in reports or _is_readable(pgconn.socket)


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
