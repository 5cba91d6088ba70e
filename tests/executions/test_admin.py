from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains

from events.models import Event
from events.services.record import record_events
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from tests.conditions.builders import rule, rules
from tests.factories import make_trigger, new_event
from triggers.models import Trigger

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:executions_triggerexecution_changelist"


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def executed() -> TriggerExecution:
    """The execution of an invoice whose condition was met."""
    make_trigger(
        name="on invoices",
        trigger_type="event",
        event_types=["invoice.*"],
        conditions=rules(rule("body.amount", "gt", 1)),
    )
    record_events([new_event(body=b'{"amount": 2, "name": "<b>\\ud800</b>"}')])
    drain()
    return TriggerExecution.objects.get()


def run_now(pages: Client, trigger: Trigger) -> Any:
    sent = {"_selected_action": trigger.pk, "action": "run_now"}
    return pages.post(reverse("admin:triggers_trigger_changelist"), sent)


def test_run_now_records_one_event_that_names_the_trigger(pages: Client) -> None:
    trigger = make_trigger(is_active=False)

    response = run_now(pages, trigger)

    event = Event.objects.get()
    assert response.status_code == 302
    assert (event.source, event.trigger_id) == ("manual", trigger.pk)


def test_run_now_says_that_the_hourly_limit_is_reached(pages: Client) -> None:
    trigger = make_trigger(max_executions_per_hour=1)
    run_now(pages, trigger)
    drain()

    run_now(pages, trigger)

    assert Event.objects.count() == 1


def test_running_needs_the_change_permission(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("bo", is_staff=True))

    response = run_now(client, make_trigger())

    assert response.status_code == 403
    assert not Event.objects.exists()


def test_an_execution_links_to_its_trigger_event_and_task(
    pages: Client, executed: TriggerExecution
) -> None:
    page = pages.get(
        reverse("admin:executions_triggerexecution_change", args=[executed.pk])
    )

    for name, pk in (
        ("triggers_trigger", executed.trigger_id),
        ("events_event", executed.event_id),
        ("agents_agenttask", executed.task_id),
    ):
        assertContains(page, reverse(f"admin:{name}_change", args=[pk]))
    assertContains(page, "body.amount")
    assertContains(page, "&lt;b&gt;\\ud800")


def test_an_event_and_a_trigger_show_their_executions(
    pages: Client, executed: TriggerExecution
) -> None:
    link = reverse("admin:executions_triggerexecution_change", args=[executed.pk])

    event = pages.get(reverse("admin:events_event_change", args=[executed.event_id]))
    trigger = pages.get(
        reverse("admin:triggers_trigger_change", args=[executed.trigger_id])
    )

    assertContains(event, link)
    assertContains(event, "&lt;b&gt;")
    assertContains(trigger, link)


def test_a_task_links_to_its_execution(
    pages: Client, executed: TriggerExecution
) -> None:
    page = pages.get(reverse("admin:agents_agenttask_change", args=[executed.task_id]))

    link = reverse("admin:executions_triggerexecution_change", args=[executed.pk])
    assertContains(page, link)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "success"}, 1),
        ({"status__exact": "failed"}, 0),
        ({"reason": "inactive"}, 0),
        ({"q": "on inv"}, 1),
        ({"q": "nothing"}, 0),
    ],
)
def test_executions_are_found(
    pages: Client, executed: TriggerExecution, query: dict[str, str], found: int
) -> None:
    response = pages.get(reverse(LIST), query)

    assert len(response.context["cl"].result_list) == found


@pytest.mark.parametrize("name", ["pk", "event_id", "trigger_id", "task_id"])
def test_executions_are_found_by_any_id(
    pages: Client, executed: TriggerExecution, name: str
) -> None:
    response = pages.get(reverse(LIST), {"q": str(getattr(executed, name))})

    assert list(response.context["cl"].result_list) == [executed]


def test_lists_take_as_many_queries_for_many_rows_as_for_one(
    pages: Client, django_assert_max_num_queries: Any, executed: TriggerExecution
) -> None:
    record_events([new_event(body=b'{"amount": 3}') for _ in range(20)])
    drain()

    for name in ("executions_triggerexecution", "events_event", "agents_agenttask"):
        with django_assert_max_num_queries(4) as asked:
            response = pages.get(reverse(f"admin:{name}_changelist"))

        assert len(response.context["cl"].result_list) == 21
        statements = [query["sql"] for query in asked.captured_queries]
        assert not [sql for sql in statements if '"body"' in sql or "COUNT" in sql]


def test_a_pending_execution_has_its_status_as_a_badge(
    pages: Client, executed: TriggerExecution
) -> None:
    TriggerExecution.objects.update(status=ExecutionStatus.PENDING)

    page = pages.get(reverse(LIST))

    assertContains(
        page,
        '<span class="th-status th-amber">'
        '<span aria-hidden="true">⏸</span>waiting</span>',
        html=True,
    )
