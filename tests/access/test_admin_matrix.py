"""Each list of the admin and each form for a new row, by role and subject."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from access.admin.base import BaseAdmin
from access.policy import rule_of
from access.roles import ADMIN, EDITOR, OPERATOR, VIEWER
from tests.access.people import make_user

pytestmark = pytest.mark.django_db

ROLES = ("none", VIEWER, OPERATOR, EDITOR, ADMIN, "superuser")
NO_ROLE = "no role"

# The least role that sees the list, and the least that may add a row.
NEEDS = {
    "access.apikey": ("none", "none"),
    "access.apitoken": ("superuser", "superuser"),
    "access.auditlog": (ADMIN, NO_ROLE),
    "agents.agent": (VIEWER, EDITOR),
    "agents.agenttask": (VIEWER, NO_ROLE),
    "agents.worker": (ADMIN, NO_ROLE),
    "auth.group": (ADMIN, ADMIN),
    "auth.user": (ADMIN, ADMIN),
    "django_celery_beat.clockedschedule": (ADMIN, "superuser"),
    "django_celery_beat.crontabschedule": (ADMIN, ADMIN),
    "django_celery_beat.intervalschedule": (ADMIN, ADMIN),
    "django_celery_beat.periodictask": (ADMIN, ADMIN),
    "django_celery_beat.solarschedule": (ADMIN, "superuser"),
    "django_celery_results.taskresult": (ADMIN, NO_ROLE),
    "events.event": (VIEWER, NO_ROLE),
    "events.eventtype": (VIEWER, NO_ROLE),
    "events.inbox": (ADMIN, NO_ROLE),
    "executions.drainlease": (ADMIN, NO_ROLE),
    "executions.executiontrace": (VIEWER, NO_ROLE),
    "executions.triggerexecution": (VIEWER, NO_ROLE),
    "triggers.scheduleversion": (VIEWER, NO_ROLE),
    "triggers.statsdelta": (ADMIN, NO_ROLE),
    "triggers.subscription": (VIEWER, NO_ROLE),
    "triggers.trigger": (VIEWER, EDITOR),
    "triggers.triggerstats": (VIEWER, NO_ROLE),
    "webhooks.delivery": (VIEWER, NO_ROLE),
    "webhooks.pendingfetch": (ADMIN, NO_ROLE),
    "webhooks.rejection": (VIEWER, NO_ROLE),
    "webhooks.webhookendpoint": (VIEWER, NO_ROLE),
    "webhooks.webhooktype": (VIEWER, EDITOR),
    "webhooks.webhooktypeversion": (VIEWER, NO_ROLE),
}
# Bound users of every role make keys of their own and triggers of their subject.
WRITABLE_WHEN_BOUND = {"access.apikey", "access.apitoken", "triggers.trigger"}


def test_each_page_of_the_admin_has_a_rule() -> None:
    assert set(NEEDS) == {model._meta.label_lower for model in admin.site._registry}


def test_each_page_of_the_admin_asks_the_policy() -> None:
    outside = [a for a in admin.site._registry.values() if not isinstance(a, BaseAdmin)]

    assert outside == []


@pytest.mark.parametrize(
    ("role", "subject"),
    [*((role, "") for role in ROLES if role != OPERATOR), ("superuser", "acme")],
)
def test_the_matrix_of_pages(client: Client, role: str, subject: str) -> None:
    given = role if role in (VIEWER, OPERATOR, EDITOR, ADMIN) else None
    user = make_user(given, subject=subject)
    if role == "superuser":
        user.is_superuser = True
        user.save()
    client.force_login(user)

    found = {label: _statuses(client, label) for label in NEEDS}

    assert found == {
        label: (
            _expected(role, view, is_open=not subject or _is_readable(label)),
            _expected(role, add, is_open=not subject or label in WRITABLE_WHEN_BOUND),
        )
        for label, (view, add) in NEEDS.items()
    }


def _statuses(client: Client, label: str) -> tuple[int, int]:
    name = label.replace(".", "_")
    pages = (f"admin:{name}_changelist", f"admin:{name}_add")
    statuses = [client.get(reverse(page)).status_code for page in pages]
    return statuses[0], statuses[1]


def _expected(role: str, need: str, *, is_open: bool) -> int:
    may = need != NO_ROLE and ROLES.index(role) >= ROLES.index(need)
    return 200 if may and is_open else 403


def _is_readable(label: str) -> bool:
    """Return whether a bound user sees rows of a model: it has a rule."""
    models: dict[str, type[Model]] = {
        model._meta.label_lower: model for model in admin.site._registry
    }
    return rule_of(models[label]) is not None
