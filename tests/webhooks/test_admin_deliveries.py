from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from events.models import Event
from tests.factories import make_agent, make_created
from tests.webhooks.received import accept, make_endpoint, reject, repeat
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

LIST = "admin:webhooks_delivery_changelist"


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return make_endpoint(type_slug="generic")


def page_of(pk: object) -> str:
    return reverse("admin:webhooks_delivery_change", args=[pk])


def endpoint_page(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])


def redeliver(pages: Client, *pks: object) -> list[str]:
    sent: dict[str, Any] = {"action": "redeliver", "_selected_action": list(pks)}
    response = pages.post(reverse(LIST), sent, follow=True)
    return [str(message) for message in response.context["messages"]]


def test_the_list_shows_and_filters_deliveries(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, X_Delivery_Id="d-1")
    reject(endpoint)
    repeat(event, endpoint)

    every = pages.get(reverse(LIST))
    rejected = pages.get(reverse(LIST), {"outcome__exact": "rejected"})
    by_cause = pages.get(reverse(LIST), {"cause": "duplicate"})
    other = {"endpoint__id__exact": str(make_endpoint().pk)}
    of_other = pages.get(reverse(LIST), other)

    assert [row.outcome for row in every.context["cl"].result_list] == [
        "duplicate", "rejected", "accepted",
    ]  # fmt: skip
    assert [row.cause for row in rejected.context["cl"].result_list] == [
        "invalid_signature"
    ]
    assert [row.cause for row in by_cause.context["cl"].result_list] == ["duplicate"]
    assert list(of_other.context["cl"].result_list) == []


@pytest.mark.parametrize("sought", ["d-1", "generic.rec", "{id}"])
def test_a_delivery_is_found_by_id_or_type(
    pages: Client, endpoint: WebhookEndpoint, sought: str
) -> None:
    event = accept(endpoint, X_Delivery_Id="d-1")
    reject(endpoint)

    found = pages.get(reverse(LIST), {"q": sought.format(id=event.pk)})

    assert [row.pk for row in found.context["cl"].result_list] == [event.pk]


def test_a_long_list_needs_no_more_queries(
    pages: Client, endpoint: WebhookEndpoint, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        accept(endpoint)
        reject(endpoint)

    with django_assert_max_num_queries(6):
        pages.get(reverse(LIST))


def test_a_page_shows_the_request_and_indents_its_json(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, b'{"a":{"b":"<i>"}}', query="?shop=7")

    page = pages.get(page_of(event.pk))

    assertContains(page, "&quot;b&quot;: &quot;&lt;i&gt;&quot;")
    assertContains(page, "&quot;shop&quot;: &quot;7&quot;")
    assertContains(page, "Redeliver</button>")
    assertContains(page, f"/api/v1/deliveries/{event.pk}/body")


def test_a_compressed_body_is_shown_decompressed(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, gzip.compress(b'{"c": 3}'), Content_Encoding="gzip")

    assertContains(pages.get(page_of(event.pk)), "&quot;c&quot;: 3")


def test_a_page_of_a_rejection_suggests_a_fix(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    rejection = reject(endpoint, body=b"\xff<b>", body_size=10)

    page = pages.get(page_of(rejection.pk))

    assertContains(page, "Enter the same secret on both sides")
    assertContains(page, "&lt;b&gt;")
    assertContains(page, "Only the first bytes were stored")
    assertNotContains(page, "Redeliver</button>")


def test_a_redelivery_links_to_its_event(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint)

    messages = redeliver(pages, event.pk)

    again = Event.objects.get(replay_of=event.pk)
    assert page_of(again.pk) in messages[0]
    assertContains(pages.get(page_of(event.pk)), page_of(again.pk))
    assertContains(pages.get(page_of(again.pk)), page_of(event.pk))


def test_only_accepted_deliveries_are_redelivered(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    first, second = accept(endpoint), accept(endpoint)
    rejection = reject(endpoint)

    messages = redeliver(pages, first.pk, second.pk, rejection.pk)

    assert messages == ["2 accepted deliveries were redelivered."]
    assert Event.objects.filter(replay_of__isnull=False).count() == 2


def test_a_rejection_is_not_redelivered(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    messages = redeliver(pages, reject(endpoint).pk)

    assert messages[0].startswith("This delivery was rejected")
    assert not Event.objects.exists()


def test_a_test_event_is_sent_from_the_endpoints_page(
    pages: Client, endpoint: WebhookEndpoint
) -> None:
    url = reverse("admin:webhooks_delivery_test", args=[endpoint.pk])
    assertContains(pages.get(endpoint_page(endpoint)), "Send test event")

    looked = pages.get(url)
    response = pages.post(url, follow=True)

    event = Event.objects.get()
    assert looked.status_code == 405
    assertContains(response, "The test event was accepted")
    assertContains(response, page_of(event.pk))


def test_a_rejected_test_event_shows_the_cause(pages: Client) -> None:
    endpoint = make_endpoint(validation_rules={"required_headers": ["X-Shop"]})

    url = reverse("admin:webhooks_delivery_test", args=[endpoint.pk])
    response = pages.post(url, follow=True)

    assertContains(
        response, "was answered with 400: the content breaks a validation rule."
    )
    assert not Event.objects.exists()


def staff(client: Client, *codenames: str) -> Client:
    ben = User.objects.create_user("ben", is_staff=True)
    ben.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(ben)
    return client


def test_a_viewer_cannot_redeliver_or_test(
    client: Client, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint)
    ben = staff(client, "view_delivery", "view_webhookendpoint")

    redeliver(ben, event.pk)
    tested = ben.post(reverse("admin:webhooks_delivery_test", args=[endpoint.pk]))
    opened = ben.post(reverse("admin:webhooks_delivery_inspect", args=[endpoint.pk]))

    assert (tested.status_code, opened.status_code) == (403, 403)
    assertNotContains(ben.get(page_of(event.pk)), "Redeliver</button>")
    assertNotContains(ben.get(endpoint_page(endpoint)), "Send test event")
    assert Event.objects.count() == 1


def test_a_user_cannot_deliver_to_agents_without_permission(client: Client) -> None:
    agent = make_agent()
    agent.groups.add(Group.objects.create(name="ops"))
    trigger = make_created(agent=agent, trigger_type="webhook", webhook={}).trigger
    assert trigger.endpoint is not None
    events = [accept(trigger.endpoint), accept(trigger.endpoint)]
    ben = staff(client, "view_delivery", "change_triggerexecution")

    messages = redeliver(ben, events[0].pk) + redeliver(ben, *(e.pk for e in events))
    url = reverse("admin:webhooks_delivery_test", args=[trigger.endpoint_id])

    assert messages == [
        "The event would go to agents that you are not allowed to use",
        "0 accepted deliveries were redelivered.",
        (
            "2 were left out: "
            "the event would go to agents that you are not allowed to use."
        ),
    ]
    assert ben.post(url).status_code == 403
    assert Event.objects.count() == 2
