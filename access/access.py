"""Who may do what with API keys and tokens."""

from __future__ import annotations

from django.db.models import Q

from access.audit.log import of_subject
from access.callers import Caller
from access.models import ApiKey, ApiToken, AuditLog
from access.policy import Act, Rule, register

# Each person manages own keys. No key may make another one.
OWN_KEYS = Act("", "")


def _own_keys(caller: Caller) -> Q:
    return Q() if caller.administers else Q(owner=caller.user.pk)


def _own_tokens(caller: Caller) -> Q:
    return Q() if caller.administers else Q(user=caller.user.pk)


def _own_changes(caller: Caller) -> Q:
    return of_subject(caller.subject) if caller.subject else Q()


register(AuditLog, Rule(_own_changes, has_subject=False))
register(ApiKey, Rule(_own_keys, has_subject=True))
register(ApiToken, Rule(_own_tokens, has_subject=True))
