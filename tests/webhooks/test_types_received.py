"""The receiver and the workers of every process use the current uploaded types."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.ids import uuid7
from events.models import Event, EventSource
from executions.pipeline.parse import read_bodies
from senders.definitions import shipped_document
from tests.senders.requests import hex_hmac
from tests.senders.table import SENDERS, unsigned
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.types.receiving import send
from tests.webhooks.uploads import MINIMAL, PARCELS, SIGNED
from webhooks.endpoints.lifecycle import (
    InvalidEndpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion
from webhooks.types import (
    WebhookTypeUnusable,
    definition_at,
    definition_of,
    definitions_of,
    delete_type,
    patch_type,
    upload_type,
)

pytestmark = pytest.mark.django_db

BODY = b'{"event_type": "sent", "data": {}, "payload": "{}"}'


def endpoint_of(slug: str, document: dict[str, Any]) -> WebhookEndpoint:
    upload_type(slug=slug, document=document)
    return create_endpoint(type_slug=slug, config={"api_key": "k"}).endpoint


def change_elsewhere(slug: str, document: str) -> None:
    """Do what another process does, without running code of this process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH new AS (INSERT INTO webhooks_webhooktypeversion"
            " (id, slug, version, document, created_by, created_at)"
            " VALUES (%s, %s, 2, %s, '', now()) RETURNING id, slug)"
            " UPDATE webhooks_webhooktype type SET current_id = new.id"
            " FROM new WHERE type.slug = new.slug",
            [uuid7(), slug, document],
        )


def test_the_receiver_uses_a_change_with_the_next_request() -> None:
    endpoint = endpoint_of("shop", MINIMAL)
    deliver(endpoint, BODY)

    patch_type(slug="shop", document={"event_type": [{"body": "/event_type"}]})
    deliver(endpoint, BODY)

    types = Event.objects.order_by("id").values_list("type", flat=True)
    assert list(types) == ["shop.unknown", "shop.sent"]


def test_a_change_by_another_process_takes_effect_with_the_next_request() -> None:
    endpoint = endpoint_of("shop", MINIMAL)
    deliver(endpoint, BODY)

    change_elsewhere("shop", '{"slug": "shop", "name": "s", "max_body_bytes": 5}')

    assert deliver(endpoint, BODY).status_code == 413
    assert definition_of("shop").max_body_bytes == 5
    assert Event.objects.count() == 1


def test_an_uploaded_type_needs_no_query_in_the_receiver() -> None:
    uploaded = endpoint_of("shop", MINIMAL)
    counts = []
    for endpoint in (create_endpoint().endpoint, uploaded):
        deliver(endpoint, BODY)
        with CaptureQueriesContext(connection) as queries:
            assert deliver(endpoint, BODY).status_code == 200
        counts.append([q["sql"].split()[0] for q in queries])

    assert counts[0] == counts[1]
    assert counts[1].count("SELECT") == 1


def test_a_shipped_type_that_is_overridden_is_the_uploaded_one() -> None:
    upload_type(slug="github", document={**MINIMAL, "default_methods": ["POST", "PUT"]})

    row = WebhookType.objects.get(slug="github")

    assert definition_at("github", row.current_id) is definition_of("github")
    assert definition_of("github").default_methods == ("POST", "PUT")


def test_a_version_is_read_once_per_process(django_assert_num_queries: Any) -> None:
    upload_type(slug="shop", document=MINIMAL)
    revision = WebhookType.objects.get().current_id
    first = definition_at("shop", revision)

    with django_assert_num_queries(0):
        assert definition_at("shop", revision) is first
        assert definition_at("github", None).slug == "github"


def test_an_unknown_type_is_generic() -> None:  # R32, R184
    assert definition_of("unknown").slug == "generic"
    assert definition_at("unknown", None) is definition_of("generic")
    endpoint = WebhookEndpoint.objects.create(webhook_id="w", type="unknown")
    assert deliver(endpoint, BODY).status_code == 200


def test_an_endpoint_that_lost_its_type_is_never_open() -> None:
    endpoint = endpoint_of("shop", MINIMAL)
    WebhookType.objects.all().delete()

    assert deliver(endpoint, BODY).status_code == 401
    assert_nothing_happened()


def test_an_endpoint_that_lost_its_type_accepts_generic_signatures() -> None:
    upload_type(slug="shop", document=SIGNED)
    made = create_endpoint(type_slug="shop")
    WebhookType.objects.all().delete()

    signed = {"X-Webhook-Signature": hex_hmac(BODY, made.secret or "")}
    assert deliver(made.endpoint, BODY, **signed).status_code == 200
    assert Event.objects.get().type == "shop.received"


def test_an_invalid_stored_type_is_a_server_error() -> None:
    endpoint = endpoint_of("shop", MINIMAL)
    broken = WebhookTypeVersion.objects.create(slug="shop", version=2, document={})
    WebhookType.objects.update(current=broken)

    answer = deliver(endpoint, BODY)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert_nothing_happened()
    with pytest.raises(WebhookTypeUnusable):
        definition_of("shop")
    assert definitions_of(["shop", "github"]).keys() == {"github"}


def test_workers_parse_bodies_with_the_uploaded_type(
    django_assert_num_queries: Any,
) -> None:
    endpoint = endpoint_of("shop", {**MINIMAL, "form_json_field": "payload"})
    body = b"payload=%7B%22a%22%3A1%7D"
    for _ in range(3):
        deliver(endpoint, body, content_type="application/x-www-form-urlencoded")
    events = list(Event.objects.filter(source=EventSource.WEBHOOK))
    read_bodies(events)

    with django_assert_num_queries(1):
        read = read_bodies(events)

    assert [body.value for body in read.values()] == [{"a": 1}] * 3


@pytest.mark.parametrize("config", [None, {}, {"api_key": ""}, {"other": 1}])
def test_a_missing_required_config_is_refused(
    config: dict[str, Any] | None,
) -> None:  # R193
    upload_type(document=PARCELS)

    with pytest.raises(InvalidEndpoint) as refusal:
        create_endpoint(type_slug="parcels", config=config)

    [fault] = refusal.value.faults
    assert fault.pointer == "/webhook_config/api_key"
    assert not WebhookEndpoint.objects.exists()


def test_a_new_endpoint_cannot_get_a_deleted_type() -> None:
    upload_type(slug="shop", document=MINIMAL)
    delete_type(slug="shop")

    with pytest.raises(InvalidEndpoint):
        create_endpoint(type_slug="shop")
    assert not WebhookEndpoint.objects.exists()


def test_a_kept_config_satisfies_the_type() -> None:
    upload_type(document=PARCELS)
    made = create_endpoint(type_slug="parcels", config={"api_key": "k"})

    update_endpoint(endpoint_id=made.endpoint.pk, validation_rules={})
    with pytest.raises(InvalidEndpoint):
        update_endpoint(endpoint_id=made.endpoint.pk, config={})

    made.endpoint.refresh_from_db()
    assert made.endpoint.config == {"api_key": "k"}


def test_a_new_requirement_is_checked_at_the_next_change_of_config() -> None:
    endpoint = endpoint_of("shop", MINIMAL)
    patch_type(slug="shop", document={"required_config_fields": ["region"]})

    update_endpoint(endpoint_id=endpoint.pk, subject="other")
    with pytest.raises(InvalidEndpoint) as refusal:
        update_endpoint(endpoint_id=endpoint.pk, config={"api_key": "new"})

    assert [f.pointer for f in refusal.value.faults] == ["/webhook_config/region"]


@pytest.mark.parametrize(("document", "is_taken"), [(SIGNED, True), (MINIMAL, False)])
def test_a_required_secret_may_be_generated(
    document: dict[str, Any], is_taken: bool
) -> None:
    required = {**document, "required_config_fields": ["secret"]}
    upload_type(slug="shop", document=required)

    if is_taken:
        assert create_endpoint(type_slug="shop").secret is not None
    else:
        with pytest.raises(InvalidEndpoint):
            create_endpoint(type_slug="shop")


@pytest.mark.parametrize("slug", ["adyen", "twitch", "zendesk"])
def test_an_upload_can_have_iso_timestamps_and_optional_signed_fields(
    slug: str,
) -> None:
    document = {**shipped_document(slug), "slug": "own", "parser": "x"}
    upload_type(document={**document, "json_schema": True})
    sender = SENDERS[slug]
    form = next(iter(sender.forms.values()))
    config = {"secret": form.secret, **sender.config}
    endpoint = create_endpoint(type_slug="own", config=config).endpoint
    sent = unsigned(slug, sender.events[0]).but(secret=form.secret, now=time.time())
    signed = form.sign(sent)
    if slug == "adyen":
        changed = next(iter(form.forged.values()))(signed)
    else:
        changed = signed.but(body=signed.body + b" ")

    assert send(endpoint, signed).status_code < 300
    assert send(endpoint, changed).status_code == 401
    assert Event.objects.count() == 1
