from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.asserts import assertContains, assertNotContains

from tests.factories import AgentFactory, make_created, make_trigger
from triggers.admin.display import state_of
from triggers.clocks.mirror import mirror_name
from triggers.models import Subscription, Trigger
from triggers.services.lifecycle import delete_trigger

pytestmark = pytest.mark.django_db

LIST = "admin:triggers_trigger_changelist"
ADD = "admin:triggers_trigger_add"


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(trigger: Trigger) -> str:
    return reverse("admin:triggers_trigger_change", args=[trigger.pk])


def filled(**fields: Any) -> dict[str, Any]:
    """Return the form data that a browser sends to add a trigger, with these fields."""
    numbers = {
        "jitter_seconds": 0, "catchup_window_seconds": 3600, "timeout_seconds": 300,
        "misfire_grace_seconds": 30, "failure_threshold": 5,
    }  # fmt: skip
    return {
        "name": "nightly",
        "trigger_type": "manual",
        "is_active": "on",
        "timezone": "UTC",
        "dst_gap": "after",
        "dst_overlap": "first",
        "catchup": "latest",
        "overlap": "allow",
        "on_condition_error": "fail",
        "webhook_type": "generic",
        "allowed_methods": ["POST"],
        **numbers,
        **fields,
    }


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_a_schedule_is_added_through_the_service(pages: Client) -> None:
    sent = filled(
        agent=AgentFactory.create().pk,
        trigger_type="cron",
        schedule_type="cron",
        cron_expression="0 3 * * *",
    )

    response = pages.post(reverse(ADD), sent)

    trigger = Trigger.objects.get()
    assert response.status_code == 302
    assert trigger.created_by == "ana"
    assert trigger.next_run_time is not None
    assert trigger.schedule_versions.count() == 1
    assert PeriodicTask.objects.filter(name=mirror_name(trigger.pk)).exists()


def test_the_page_says_how_an_expression_was_read(pages: Client) -> None:
    sent = filled(
        agent=AgentFactory.create().pk,
        trigger_type="cron",
        schedule_type="cron",
        cron_expression="0 16 ? * 2-6 *",
    )

    response = pages.post(reverse(ADD), sent, follow=True)

    assert Trigger.objects.get().cron_expression == "0 16 * * 1-5"
    assert (
        "The cron expression was read as AWS writes it, and stored as '0 16 * * 1-5' "
        "(0 is Sunday)."
    ) in messages_of(response)


def test_a_schedule_without_any_run_is_refused_at_its_field(pages: Client) -> None:
    sent = filled(
        agent=AgentFactory.create().pk,
        trigger_type="cron",
        schedule_type="once",
        schedule_config='{"at": "2020-01-31T09:00"}',
    )

    response = pages.post(reverse(ADD), sent)

    errors = response.context["adminform"].form.errors
    assert list(errors) == ["schedule_config"]
    assert not Trigger.objects.exists()


def test_a_webhook_shows_its_url_and_its_secret_once(pages: Client) -> None:
    sent = filled(
        agent=AgentFactory.create().pk, trigger_type="webhook", webhook_type="github"
    )

    response = pages.post(reverse(ADD), sent)

    endpoint = Trigger.objects.get().endpoint
    assert endpoint is not None
    secret = endpoint.secrets[0]["secret"]
    shown = messages_of(response)
    assert f"Webhook URL: http://testserver/webhooks/{endpoint.webhook_id}" in shown
    assert f"Secret, shown this once: {secret}" in shown
    page = pages.get(page_of(Trigger.objects.get()))
    page = pages.get(page_of(Trigger.objects.get()))
    assertNotContains(page, secret)


@pytest.mark.parametrize(
    ("chosen", "webhook_type", "counts"),
    [
        ("", "generic", False),
        ("", "github", True),
        ("yes", "generic", True),
        ("no", "github", False),
    ],
)
def test_failed_tasks_count_by_default_if_requests_are_signed(
    pages: Client, chosen: str, webhook_type: str, counts: bool
) -> None:
    sent = filled(
        agent=AgentFactory.create().pk,
        trigger_type="webhook",
        webhook_type=webhook_type,
        count_task_failures=chosen,
    )

    pages.post(reverse(ADD), sent)

    assert Trigger.objects.get().count_task_failures is counts


def test_event_types_are_entered_one_per_line(pages: Client) -> None:
    sent = filled(
        agent=AgentFactory.create().pk,
        trigger_type="event",
        event_types="invoice.*\n\ncustomer.created",
    )

    pages.post(reverse(ADD), sent)

    patterns = Subscription.objects.order_by("pattern")
    assert [s.pattern for s in patterns] == ["customer.created", "invoice.*"]


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        (
            {"trigger_type": "cron", "schedule_type": "cron", "cron_expression": "x"},
            "cron_expression",
            "",
        ),
        ({"trigger_type": "event"}, "event_types", "Name at least one event type"),
        (
            {"trigger_type": "event", "event_types": "invoice.paid\ngithub.psuh"},
            "event_types",
            "GitHub sends no event",
        ),
        ({"parameter_mapping": '{"a": 1}'}, "parameter_mapping", "a: Must be a field"),
        ({"conditions": '{"nonsense": 1}'}, "conditions", ""),
        (
            {"trigger_type": "webhook", "webhook_type": "standardwebhooks",
             "webhook_secret": "short"},
            "webhook_secret",
            "secret",
        ),
        ({"name": "taken"}, "name", "already has this name"),
    ],
)  # fmt: skip
def test_an_error_of_the_service_is_shown_at_its_field(
    pages: Client, fields: dict[str, str], name: str, text: str
) -> None:
    make_trigger(name="taken")

    response = pages.post(
        reverse(ADD), filled(agent=AgentFactory.create().pk, **fields)
    )

    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert list(errors) == [name]
    assert text in errors[name].as_text()
    assert Trigger.objects.count() == 1


def test_a_change_creates_the_next_version(pages: Client) -> None:
    trigger = make_trigger(trigger_type="event", event_types=["invoice.paid"])
    sent = filled(
        name="renamed",
        agent=trigger.agent_id,
        trigger_type="event",
        event_types="invoice.paid",
        conditions="{}",
    )

    response = pages.post(page_of(trigger), sent)

    assert response.status_code == 302, response.context["adminform"].form.errors
    trigger.refresh_from_db()
    assert (trigger.name, trigger.version) == ("renamed", 2)
    assert [s.pattern for s in trigger.subscriptions.all()] == ["invoice.paid"]


def test_actions_enable_and_disable_triggers(pages: Client) -> None:
    trigger = make_trigger()
    chosen = {"_selected_action": trigger.pk}

    pages.post(reverse(LIST), {**chosen, "action": "disable"})
    trigger.refresh_from_db()

    assert (trigger.is_active, trigger.disabled_reason) == (False, "by ana")

    pages.post(reverse(LIST), {**chosen, "action": "enable"})
    trigger.refresh_from_db()
    assert trigger.is_active


def test_an_action_redirects_to_the_page_it_came_from(pages: Client) -> None:
    trigger = make_trigger()
    sent = {"_selected_action": trigger.pk, "from_page": trigger.pk}

    response = pages.post(reverse(LIST), {**sent, "action": "disable"})

    assert response["Location"] == page_of(trigger)


def test_an_action_rejects_get_requests(pages: Client) -> None:
    trigger = make_trigger()
    query = {"_selected_action": str(trigger.pk), "action": "disable"}

    pages.get(reverse(LIST), query)

    trigger.refresh_from_db()
    assert trigger.is_active


def test_a_deleted_trigger_can_still_be_read(pages: Client) -> None:
    trigger = make_trigger(name="gone")

    pages.post(
        reverse("admin:triggers_trigger_delete", args=[trigger.pk]), {"post": "yes"}
    )

    trigger.refresh_from_db()
    assert trigger.deleted_at is not None
    page = pages.get(page_of(trigger))
    assertContains(page, "gone")
    assertNotContains(page, 'name="_save"')
    assert not pages.get(reverse(LIST)).context["cl"].result_list
    assert pages.get(reverse(LIST), {"state": "deleted"}).context["cl"].result_list


@pytest.mark.parametrize("state", ["active", "paused", "disabled", "auto-disabled"])
def test_triggers_are_filtered_by_state(pages: Client, state: str) -> None:
    now = timezone.now()
    make_trigger(name="one-active", paused_until=now)
    make_trigger(name="one-paused", paused_until=now + timedelta(days=1))
    make_trigger(name="one-disabled", is_active=False)
    make_trigger(
        name="one-auto-disabled",
        is_active=False,
        disabled_reason="auto-disabled after 5",
    )

    shown = pages.get(reverse(LIST), {"state": state}).context["cl"].result_list

    assert [trigger.name for trigger in shown] == [f"one-{state}"]
    assert state_of(shown[0]) == state


@pytest.mark.parametrize("trigger_type", ["manual", "event", "webhook"])
def test_every_trigger_type_accepts_a_pause_and_an_overlap_policy(
    pages: Client, trigger_type: str
) -> None:
    trigger = make_trigger(trigger_type=trigger_type, event_types=["invoice.paid"])
    sent = filled(
        agent=trigger.agent_id,
        trigger_type=trigger_type,
        event_types="invoice.paid",
        conditions="{}",
        overlap="buffer_one",
        paused_until_0="2030-01-31",
        paused_until_1="09:00",
        pause_note="audit",
    )

    response = pages.post(page_of(trigger), sent)

    assert response.status_code == 302, response.context["adminform"].form.errors
    trigger.refresh_from_db()
    assert (trigger.overlap, trigger.pause_note) == ("buffer_one", "audit")
    assert trigger.paused_until == datetime(2030, 1, 31, 9, tzinfo=UTC)


def test_the_list_makes_as_many_queries_for_many_triggers_as_for_one(
    pages: Client, django_assert_max_num_queries: Any
) -> None:
    pages.get(reverse(LIST))
    for _ in range(10):
        make_trigger(trigger_type="event", event_types=["a.b", "a.c"])
        make_trigger(trigger_type="webhook")

    with django_assert_max_num_queries(8):
        response = pages.get(reverse(LIST))

    assert len(response.context["cl"].result_list) == 20


def test_a_signed_curl_is_shown_without_the_secret(pages: Client) -> None:
    created = make_created(trigger_type="webhook", webhook={"type_slug": "github"})
    assert created.webhook_secret is not None

    page = pages.get(page_of(created.trigger))

    assertContains(page, "X-Hub-Signature-256: sha256=")
    assertNotContains(page, created.webhook_secret)


def test_mirrors_of_triggers_are_read_only(pages: Client) -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type="interval", schedule_config={}
    )
    mirror = PeriodicTask.objects.get(name=mirror_name(trigger.pk))
    url = reverse("admin:django_celery_beat_periodictask_change", args=[mirror.pk])

    page = pages.get(url)
    changed = pages.post(url, {"name": "mine"})
    acted = pages.post(
        reverse("admin:django_celery_beat_periodictask_changelist"),
        {"_selected_action": mirror.pk, "action": "disable_tasks"},
    )

    mirror.refresh_from_db()
    assertNotContains(page, 'name="_save"')
    assert changed.status_code == 403
    assert acted.status_code == 302
    assert (mirror.name, mirror.enabled) == (mirror_name(trigger.pk), True)


def test_the_page_of_a_deleted_trigger_rejects_a_change(
    pages: Client,
) -> None:
    trigger = make_trigger()
    delete_trigger(trigger_id=trigger.pk)

    response = pages.post(page_of(trigger), filled(agent=trigger.agent_id))

    assert response.status_code == 403
