"""Django's PostgreSQL backend, which also replaces connections that became useless.

Django keeps a connection as long as the server answers on it. Two kinds of connections
are useless all the same: one that was opened while the server was read-only stays
read-only, and one whose server has ended fails at the next statement.
"""

from __future__ import annotations

import select

import psycopg
from django.db.backends.postgresql import base

# The server reports these settings when a session starts and when they change.
_READ_ONLY_REPORTS = (b"default_transaction_read_only", b"in_hot_standby")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL that is replaced when it cannot write any more."""

    def is_usable(self) -> bool:
        """Return whether the server answers on this connection and accepts writes."""
        if self.connection is None:
            return False
        try:
            # psycopg's own cursor: Django's cursor records errors and wraps them.
            answer = self.connection.execute("SHOW transaction_read_only").fetchone()
        except psycopg.Error:
            return False
        return bool(answer == ("off",))

    def close_if_unusable_or_obsolete(self) -> None:
        """Close the connection if it is broken, read-only or too old.

        Django calls this at the start and the end of each request. A healthy
        connection costs no statement here. Celery beat calls it in a signal handler,
        too: a statement that the signal interrupted holds the lock of the connection,
        and would hold it for ever if the handler waited for it.
        """
        if self.connection is not None and self.connection.lock.locked():
            return
        if self._is_suspect() and not self.is_usable():
            self.close()
            return
        super().close_if_unusable_or_obsolete()

    def _is_suspect(self) -> bool:
        """Return whether the connection reports read-only, or has something to read.

        Between statements the server sends only notices, and the end of the connection.
        """
        if self.connection is None or self.in_atomic_block:
            return False
        if self.connection.closed:
            return True
        pgconn = self.connection.pgconn
        if b"on" in map(pgconn.parameter_status, _READ_ONLY_REPORTS):
            return True
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
