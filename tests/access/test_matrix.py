"""Each call of the API, by each role, on rows of the own and of another subject.

The calls are those of the URL conf. `NEEDS` says what each of them needs: a call that
is missing there fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.urls import URLPattern, get_resolver
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.test import APIClient

from access.admin.keys import SCOPE_TEXTS
from access.permissions import acts_for
from access.policy import SCOPES
from access.roles import ADMIN, EDITOR, OPERATOR, VIEWER
from common.ids import uuid7
from config.urls import api_urlpatterns
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.access.people import client_of, key_client, make_user
from tests.factories import make_agent, make_created
from tests.webhooks.received import accept
from tests.webhooks.uploads import MINIMAL
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db

ROLES = ("none", VIEWER, OPERATOR, EDITOR, ADMIN)


class Need(NamedTuple):
    """What a call needs: a role, and the row that must be visible.

    `row`: nothing, a row with a subject, or an agent. `uses_agent`: also access to the
    agent of the row. `is_global`: not for callers that are bound to a subject.
    """

    role: str
    row: str = ""
    uses_agent: bool = False
    is_global: bool = False


NEEDS = {
    ("key-list", "get"): Need("none"),
    ("key-list", "post"): Need("none"),
    ("key-detail", "delete"): Need("none", row="own"),
    ("audit-log", "get"): Need(ADMIN),
    ("agent-list", "get"): Need(VIEWER),
    ("agent-list", "post"): Need(EDITOR, is_global=True),
    ("agent-detail", "get"): Need(VIEWER, row="agent"),
    ("agent-detail", "put"): Need(EDITOR, row="agent", is_global=True),
    ("agent-detail", "patch"): Need(EDITOR, row="agent", is_global=True),
    ("agent-detail", "delete"): Need(EDITOR, row="agent", is_global=True),
    ("task-list", "get"): Need(VIEWER),
    ("task-detail", "get"): Need(VIEWER, row="subject"),
    ("event-type-list", "get"): Need(VIEWER),
    ("event-type-detail", "get"): Need(VIEWER),
    ("event-list", "get"): Need(VIEWER),
    ("event-list", "post"): Need(OPERATOR),
    ("event-detail", "get"): Need(VIEWER, row="subject"),
    ("event-body", "get"): Need(ADMIN, row="subject"),
    ("delivery-list", "get"): Need(VIEWER),
    ("delivery-detail", "get"): Need(VIEWER, row="subject"),
    ("delivery-body", "get"): Need(ADMIN, row="subject"),
    ("delivery-redeliver", "post"): Need(OPERATOR, row="subject", uses_agent=True),
    ("delivery-redeliver-many", "post"): Need(OPERATOR),
    ("delivery-test", "post"): Need(OPERATOR),
    ("delivery-inspectors", "post"): Need(OPERATOR),
    ("delivery-inspector", "get"): Need(ADMIN, row="missing"),
    ("trigger-list", "get"): Need(VIEWER),
    ("trigger-list", "post"): Need(EDITOR),
    ("trigger-detail", "get"): Need(VIEWER, row="subject"),
    ("trigger-detail", "put"): Need(EDITOR, row="subject", uses_agent=True),
    ("trigger-detail", "patch"): Need(EDITOR, row="subject", uses_agent=True),
    ("trigger-detail", "delete"): Need(EDITOR, row="subject"),
    ("trigger-enable", "post"): Need(EDITOR, row="subject", uses_agent=True),
    ("trigger-disable", "post"): Need(EDITOR, row="subject"),
    ("trigger-validate-cron", "post"): Need(VIEWER),
    ("trigger-health", "get"): Need(VIEWER, is_global=True),
    ("trigger-audit", "get"): Need(VIEWER, row="subject"),
    ("trigger-backfill", "post"): Need(OPERATOR, row="subject", uses_agent=True),
    ("trigger-status", "get"): Need(VIEWER, row="subject"),
    ("trigger-run", "post"): Need(OPERATOR, row="subject", uses_agent=True),
    ("trigger-executions", "get"): Need(VIEWER, row="subject"),
    ("trigger-webhook-url", "get"): Need(VIEWER, row="subject"),
    ("trigger-regenerate-webhook", "post"): Need(
        EDITOR, row="subject", uses_agent=True
    ),
    ("trigger-rotate-secret", "post"): Need(EDITOR, row="subject", uses_agent=True),
    ("trigger-revoke-secret", "post"): Need(EDITOR, row="subject", uses_agent=True),
    ("schedule-preview", "post"): Need(VIEWER),
    ("schedule-describe", "post"): Need(VIEWER),
    ("schedule-validate", "post"): Need(VIEWER),
    ("schedule-build", "post"): Need(VIEWER),
    ("schedule-presets", "get"): Need(VIEWER),
    ("schedule-preset", "get"): Need(VIEWER),
    ("webhook-type-list", "get"): Need(VIEWER),
    ("webhook-type-list", "post"): Need(EDITOR, is_global=True),
    ("webhook-type-detail", "get"): Need(VIEWER),
    ("webhook-type-detail", "put"): Need(EDITOR, is_global=True),
    ("webhook-type-detail", "patch"): Need(EDITOR, is_global=True),
    ("webhook-type-detail", "delete"): Need(EDITOR, is_global=True),
    ("webhook-type-versions", "get"): Need(VIEWER),
    ("webhook-type-version", "get"): Need(VIEWER),
    ("webhook-type-try", "post"): Need(VIEWER),
    ("execution-list", "get"): Need(VIEWER),
    ("execution-detail", "get"): Need(VIEWER, row="subject"),
}
# For everyone with a login.
OPEN = {("api-root", "get"), ("login", "get"), ("logout", "get")}


def api_patterns() -> Iterator[URLPattern]:
    found: list[Any] = list(api_urlpatterns)
    while found:
        pattern = found.pop()
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            found += pattern.url_patterns


def methods_of(pattern: URLPattern) -> list[str]:
    actions = getattr(pattern.callback, "actions", None)
    names = actions or {
        name
        for name in ("get", "post", "put", "patch", "delete")
        if hasattr(getattr(pattern.callback, "cls", object), name)
    }
    return sorted(set(names) - {"head"})


CALLS = [(p.name or "", m, p) for p in api_patterns() for m in methods_of(p)]


def test_each_call_of_the_api_has_a_rule() -> None:
    calls = {(name, method) for name, method, _ in CALLS}

    assert calls - OPEN == set(NEEDS)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_each_view_declares_its_acts(call: tuple[str, str, URLPattern]) -> None:
    _, method, pattern = call
    view = pattern.callback.cls()  # type: ignore[attr-defined]  # DRF's
    view.action_map = getattr(pattern.callback, "actions", None)
    is_open = {IsAuthenticated, AllowAny} & set(view.permission_classes)

    acts = acts_for(view, method)

    assert bool(acts) != bool(is_open)
    assert all(act.scope in (*SCOPES, "") for act in acts)


def test_the_page_of_keys_offers_the_scopes_that_calls_need() -> None:
    needed = set()
    for _, method, pattern in CALLS:
        view = pattern.callback.cls()  # type: ignore[attr-defined]  # DRF's
        view.action_map = getattr(pattern.callback, "actions", None)
        needed |= {act.scope for act in acts_for(view, method)} - {""}

    of_members = {"executions:payload", "tasks:payload"}
    assert set(SCOPE_TEXTS) == needed | of_members
    assert needed <= set(SCOPES)


@pytest.fixture
def rows() -> SimpleNamespace:
    """Rows of the subject `acme`, and an agent of the group `insiders`."""
    upload_type(slug="shop", document=MINIMAL)
    group = Group.objects.create(name="insiders")
    agent = make_agent()
    agent.groups.add(group)
    trigger = make_created(
        trigger_type="webhook", agent=agent, subject="acme", webhook={}
    ).trigger
    assert trigger.endpoint is not None
    event = accept(trigger.endpoint)
    drain()
    execution = TriggerExecution.objects.get()
    return SimpleNamespace(
        group=group, agent=agent, trigger=trigger, event=event, execution=execution
    )


def path_of(name: str, pattern: URLPattern, rows: SimpleNamespace) -> str:
    ids = {
        "agent": rows.agent.pk,
        "task": rows.execution.task_id,
        "event": rows.event.pk,
        "delivery": rows.event.pk,
        "trigger": rows.trigger.pk,
        "execution": rows.execution.pk,
        "key": uuid7(),
    }
    values = {
        "pk": ids.get(name.partition("-")[0]),
        "slug": "shop",
        "number": 1,
        "token": "none",
        "name": "every_hour",
    }
    if name == "event-type-detail":
        values["pk"] = "invoice.paid"
    known = {n: v for n, v in values.items() if n in pattern.pattern.converters}
    reverse = get_resolver().reverse
    return "/" + str(reverse(name, **known))


BODIES: dict[str, dict[str, Any]] = {
    "event-list": {"type": "invoice.paid"},
    "delivery-redeliver-many": {"delivery_id": "none"},
    "trigger-backfill": {"from": "2026-01-01T00:00:00Z"},
}


def expected(
    need: Need, role: str, *, subject: str, is_member: bool
) -> tuple[int, ...] | None:
    """Return the statuses of a refusal; None if the call must not be refused."""
    if ROLES.index(role) < ROLES.index(need.role):
        return (403,)
    if need.is_global and subject:
        return (403,)
    if need.row in ("own", "missing"):
        return (404,)
    if need.row == "subject" and subject not in ("", "acme"):
        return (404,)
    may_use = is_member or role == ADMIN
    if need.row == "agent" and not may_use:
        return (404,)
    return (403,) if need.uses_agent and not may_use else None


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("subject", ["", "acme", "other"])
def test_the_matrix(rows: SimpleNamespace, role: str, subject: str) -> None:
    given = None if role == "none" else role
    clients = {
        is_member: client_of(
            make_user(given, subject=subject, group=rows.group if is_member else None)
        )
        for is_member in (True, False)
    }
    wrong = []
    for is_member, (name, method, pattern) in product((True, False), CALLS):
        need = NEEDS.get((name, method))
        if need is None or not (is_member or need.uses_agent or need.row == "agent"):
            continue
        with transaction.atomic():
            call = getattr(clients[is_member], method)
            path = path_of(name, pattern, rows)
            status = call(path, BODIES.get(name, {})).status_code
            transaction.set_rollback(True)
        refusal = expected(need, role, subject=subject, is_member=is_member)
        is_right = status in refusal if refusal else status not in (401, 403, 404)
        if not is_right:
            wrong.append((name, method, is_member, status, refusal))

    assert wrong == []


def test_a_key_opens_only_what_its_scopes_name(rows: SimpleNamespace) -> None:
    admin = make_user(ADMIN, group=rows.group)
    client = key_client(admin, "system:approve")  # a scope that no call needs

    answers = {
        (name, method): getattr(client, method)(path_of(name, pattern, rows), {})
        for name, method, pattern in CALLS
        if (name, method) in NEEDS
    }

    assert {call: a.status_code for call, a in answers.items()} == dict.fromkeys(
        answers, 403
    )


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_nothing_opens_without_a_login(call: tuple[str, str, URLPattern]) -> None:
    name, method, pattern = call
    none = SimpleNamespace(pk=uuid7(), task_id=uuid7())
    rows = SimpleNamespace(agent=none, event=none, trigger=none, execution=none)
    path = path_of(name, pattern, rows)

    status = getattr(APIClient(), method)(path, {}).status_code

    assert status == 401 or name in ("login", "logout")
