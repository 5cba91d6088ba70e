"""What a caller may do, and which rows it may see.

Each app declares its acts and registers a rule for each of its models, in its module
`access`. Code that answers a call asks `may` for the act, and reads rows only through
`visible`: then filters, searches, counts and lists cannot show others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet

from access.callers import Caller
from common.errors import Fault, InvalidInput

logger = logging.getLogger(__name__)

_M = TypeVar("_M", bound=Model)

VIEW_PAYLOAD = "executions.view_payload"
RESOURCES = (
    *("triggers", "endpoints", "agents", "executions", "events", "tasks", "system"),
)
VERBS = ("read", "payload", "write", "run", "approve")
SCOPES = tuple(f"{resource}:{verb}" for resource in RESOURCES for verb in VERBS)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that callers do: what it needs.

    `permission` is Django's; empty for what every login may do. `scope` is that of a
    key; empty for what no key may do. An act on what belongs to no subject
    (`is_global`) is not open to callers that are bound to one.
    """

    permission: str
    scope: str
    is_global: bool = False


def crud(model: str, resource: str, *, is_global: bool = False) -> dict[str, Act]:
    """Return the acts of a view set on `app.model`, by the names of its actions.

    Reading is open to bound callers, who see the rows that the model's rule names.
    """
    app, _, name = model.partition(".")
    read, write = f"{resource}:read", f"{resource}:write"
    view = Act(f"{app}.view_{name}", read)
    change = Act(f"{app}.change_{name}", write, is_global)
    return {
        "list": view,
        "retrieve": view,
        "create": Act(f"{app}.add_{name}", write, is_global),
        "update": change,
        "partial_update": change,
        "destroy": Act(f"{app}.delete_{name}", write, is_global),
    }


def payload_act(resource: str) -> Act:
    """Return the act of reading what senders sent and agents answered."""
    return Act(VIEW_PAYLOAD, f"{resource}:payload")


def why_not(caller: Caller, act: Act) -> str:
    """Return why a caller may not do something, with the way out; empty if it may."""
    key = caller.key
    if key is not None and not act.scope:
        return "No API key may do this; log in, or use the token of a person."
    if key is not None and act.scope not in key.scopes:
        return f"The API key lacks the scope {act.scope}."
    if act.is_global and caller.subject:
        return "This concerns all subjects, and you are bound to one of them."
    if not isinstance(caller.user, User) or not caller.user.is_active:
        return "Log in first."
    if act.permission and not caller.has_perm(act.permission):
        return f"This needs the permission {act.permission}."
    return ""


def may(caller: Caller, act: Act) -> bool:
    return not why_not(caller, act)


def log_payload_read(caller: Caller, kind: str, pk: object) -> None:
    """Log who has read the payload of which row."""
    key = caller.key.pk if caller.key else None
    logger.info("Payload read: user %s, key %s, %s %s", caller.user.pk, key, kind, pk)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows of a model a caller may see.

    `has_subject`: each row belongs to one subject, so bound callers may write rows of
    theirs. Rows of other models belong to all, and bound callers only read them.
    """

    rows: Callable[[Caller], Q]
    has_subject: bool


_rules: dict[type[Model], Rule] = {}


def register(model: type[Model], rule: Rule) -> None:
    _rules[model] = rule


def by_subject(path: str) -> Rule:
    """Return the rule of rows whose subject is in the column `path`."""

    def rows(caller: Caller) -> Q:
        return Q((path, caller.subject)) if caller.subject else Q()

    return Rule(rows, has_subject=True)


SHARED = Rule(lambda caller: Q(), has_subject=False)


def rule_of(model: type[Model]) -> Rule | None:
    """Return a model's rule; one without a rule is closed to bound callers."""
    return _rules.get(model)


def visible(rows: QuerySet[_M], caller: Caller) -> QuerySet[_M]:
    """Return those of the rows that a caller may see."""
    rule = rule_of(rows.model)
    if rule is not None:
        return rows.filter(rule.rows(caller))
    return rows.none() if caller.subject else rows


def may_write(caller: Caller, model: type[Model]) -> bool:
    """Return whether a caller's subject lets it write rows of a model."""
    rule = rule_of(model)
    return not caller.subject or (rule is not None and rule.has_subject)


def own_subject(caller: Caller, given: str) -> str:
    """Return the subject of a row that a caller saves with the subject `given`.

    Raises InvalidInput if a bound caller names another subject than its own.
    """
    if not caller.subject or given == caller.subject:
        return given
    if given:
        detail = f"You can save only rows of the subject '{caller.subject}'"
        raise InvalidInput(detail, faults=[Fault("/subject", detail)])
    return caller.subject
