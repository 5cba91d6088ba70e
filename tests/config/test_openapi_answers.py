"""The responses of the API match its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import re2
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from access.keys import create_key
from agents.models import AgentTask
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.conditions.builders import rule, rules
from tests.config.openapi import PREFIX, faults_of, operations
from tests.executions.flow import finish
from tests.factories import make_agent, make_listener, make_trigger, record
from tests.webhooks.received import accept, reject
from tests.webhooks.uploads import MINIMAL
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

CRON = {"cron_expression": "0 9 * * *", "timezone": "Europe/Berlin"}
RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "dry_run": True}
# The body of each operation that is not a GET, in an order in which all succeed.
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/schedules/build"): {"minute": "5"},
    ("post", "/schedules/describe"): CRON,
    ("post", "/schedules/preview"): {**CRON, "after": "2026-03-28T00:00:00Z"},
    ("post", "/schedules/validate"): {"cron_expression": "nonsense"},
    ("post", "/triggers/validate-cron"): CRON,
    ("post", "/events"): {"type": "invoice.paid", "payload": {"n": 1}},
    ("post", "/deliveries/{id}/redeliver"): {},
    ("post", "/deliveries/redeliver"): {"delivery_id": "d-1"},
    ("post", "/deliveries/inspectors"): {"type": "generic"},
    ("post", "/triggers/{id}/run"): {},
    ("post", "/triggers/{id}/disable"): None,
    ("post", "/triggers/{id}/enable"): None,
    ("post", "/triggers/{id}/backfill"): RANGE,
    ("post", "/triggers/{id}/rotate-secret"): {},
    ("post", "/triggers/{id}/revoke-secret"): {"which": "previous"},
    ("post", "/triggers/{id}/regenerate-webhook"): {"rotate_secret": True},
    ("patch", "/triggers/{id}"): {"description": "patched"},
    ("post", "/keys"): {"name": "posted", "scopes": ["triggers:read"]},
    ("post", "/agents"): {"name": "posted", "backend": "memory"},
    ("put", "/agents/{id}"): {"name": "put", "backend": "memory"},
    ("patch", "/agents/{id}"): {"is_active": True},
    ("post", "/webhook-types"): {**MINIMAL, "slug": "posted"},
    ("put", "/webhook-types/{slug}"): MINIMAL,
    ("patch", "/webhook-types/{slug}"): {"description": "patched"},
    ("post", "/webhook-types/{slug}/try"): {"body": {"a": 1}},
}
PLACE = re2.compile(r"{\w+}")
LAST = ("/keys/{id}", "/triggers/{id}", "/agents/{id}", "/webhook-types/{slug}")


@dataclass
class World:
    """One of everything that the API shows, in several states."""

    agent_id: str
    endpoint_id: str
    named: dict[str, list[Any]]

    def bodies(self) -> dict[tuple[str, str], Any]:
        """Return BODIES and the bodies that contain ids of rows."""
        trigger = {"name": "sent", "agent_id": self.agent_id, "trigger_type": "manual"}
        return {
            **BODIES,
            ("post", "/deliveries/test"): {"endpoint_id": self.endpoint_id},
            ("post", "/triggers"): {**trigger, "name": "posted"},
            ("put", "/triggers/{id}"): trigger,
            **{("delete", path): None for path in LAST},
        }

    def urls(self, path: str) -> Iterator[str]:
        """Yield an address for each row that a path can select."""
        start, brace, rest = path.partition("{")
        if not brace:
            yield PREFIX + path
            return
        for name in self.named.get(path) or self.named[start]:
            url = f"{PREFIX}{start}{name}{rest.partition('}')[2]}"
            yield url.replace("{number}", "1")


@pytest.fixture
def world(api: APIClient) -> World:
    hook = make_trigger(trigger_type="webhook", webhook={"type_slug": "github"})
    opened = make_trigger(trigger_type="webhook", webhook={})
    cron = make_trigger(
        trigger_type="cron", schedule_type="cron", cron_expression="* * * * *"
    )
    make_listener(conditions=rules(rule("body.n", "gt", 1)))
    assert opened.endpoint is not None
    accepted = accept(opened.endpoint, X_Delivery_Id="d-1")
    rejected = reject(opened.endpoint)
    record(body=b'{"n": 2}', subject="acme")
    record(body=b'{"n": 1}')
    record(trigger_id=cron.pk, source="manual")
    drain()
    finish(AgentTask.objects.earliest("id"))
    api.post(f"{PREFIX}/webhook-types", {**MINIMAL, "slug": "shop"})
    inspector = api.post(f"{PREFIX}/deliveries/inspectors", {"type": "generic"})
    owner = User.objects.get(username="ana")
    key = create_key(owner=owner, name="report", scopes=["triggers:read"])
    return World(
        str(opened.agent_id),
        str(opened.endpoint_id),
        {
            "/agents/": [make_agent().pk],
            "/deliveries/": [accepted.pk, rejected.pk],
            "/deliveries/inspectors/": [inspector.json()["token"]],
            "/event-types/": ["invoice.paid"],
            "/events/": list(Event.objects.values_list("pk", flat=True)),
            "/keys/": [key.row.pk],
            "/executions/": list(TriggerExecution.objects.values_list("pk", flat=True)),
            "/schedules/presets/": ["daily_9am"],
            "/tasks/": list(AgentTask.objects.values_list("pk", flat=True)),
            "/triggers/": [hook.pk, *Trigger.objects.values_list("pk", flat=True)],
            "/triggers/{id}/backfill": [cron.pk],
            "/webhook-types/": ["shop", "github"],
        },
    )


def test_every_get_returns_what_is_documented(api: APIClient, world: World) -> None:
    found = {
        f"{url}: {fault}"
        for method, path, _ in operations()
        if method == "get"
        for url in world.urls(path)
        for fault in faults_of(method, path, api.get(url))
    }

    assert found == set()


def test_every_other_operation_returns_what_is_documented(
    api: APIClient, world: World
) -> None:
    bodies = world.bodies()
    assert set(bodies) == {(m, path) for m, path, _ in operations() if m != "get"}

    for (method, path), body in bodies.items():
        url = next(world.urls(path))
        response = getattr(api, method)(url, body)

        assert response.status_code < 300, (method, url, response.json())
        assert faults_of(method, path, response) == [], (method, url)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_every_error_is_documented(status: int) -> None:
    client = APIClient()
    if status != 401:
        user = User.objects.create_user("ben", is_superuser=status == 404)
        client.force_authenticate(user)

    for method, path, _ in operations():
        if method == "put" and path.startswith("/webhook-types"):
            continue  # PUT makes the type that is not there
        if status == 403 and path.startswith("/keys"):
            continue  # everyone with a login has keys
        if status != 404 or "{" in path:
            url = PREFIX + path.replace("{number}", "1")
            url = PLACE.sub(str(uuid4()), url)
            response = getattr(client, method)(url, {})
            assert (path, response.status_code) == (path, status)
            assert faults_of(method, path, response) == [], (method, path)


def test_every_operation_documents_its_possible_errors() -> None:
    for method, path, operation in operations():
        documented = set(map(int, operation["responses"]))

        assert documented >= {401, 403, 503}, (method, path)
        assert documented >= {404} or "{" not in path, (method, path)
        if "requestBody" in operation:
            assert documented >= {400, 409, 413, 415}, (method, path)
