"""After an erasure, nothing holds what was said of a subject, and others keep all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult
from rest_framework.test import APIClient

from access.erasure import UnknownSubject, erase_subject
from agents.models import AgentTask
from common.errors import InvalidInput
from events.models import Event, EventKey, Inbox
from executions import erasure as of_executions
from executions.models import ExecutionTrace, TriggerExecution
from executions.pipeline.drain import drain
from executions.services.retention.purge import purge_history
from executions.sweep import sweep
from tests.access.erasing import Said, all_rows, fill, make_hook, tables_with
from tests.factories import make_listener, record
from tests.webhooks.received import accept
from triggers.models import TriggerStats
from triggers.services.stats import fold_stats
from webhooks.deliveries.redelivery import NotRedeliverable, redeliver
from webhooks.models import Delivery, PendingFetch, Rejection

pytestmark = pytest.mark.django_db

CANARY, OTHER = "canary-acme", "canary-other"


@pytest.fixture
def said() -> Said:
    return fill("acme", CANARY)


def erased(subject: str = "acme", *, is_dry: bool = False) -> dict[str, int]:
    """Return the kinds that an erasure found, with their numbers."""
    found = erase_subject(subject, is_dry=is_dry)
    return {kind: n for kind, n in found.erased.items() if n}


def test_no_table_and_no_key_holds_the_canary_of_an_erased_subject() -> None:
    fill("other", OTHER)
    said = fill("acme", CANARY)
    everywhere = tables_with(OTHER)
    assert {name for name in everywhere if "inspector" not in name} == {
        "agents_agenttask",
        "django_celery_results_taskresult",
        "events_event",
        "executions_executiontrace",
        "executions_triggerexecution",
        "webhooks_errand",
        "webhooks_rejection",
    }
    before = all_rows()

    erase_subject("acme")

    assert tables_with(CANARY) == set()
    for model in (Event, TriggerExecution, AgentTask):
        assert not model.objects.filter(subject="acme").exists()
    assert tables_with(OTHER) == everywhere
    changed = {row for row in before - all_rows() if OTHER in row[1]}
    assert changed == set()
    assert said.hook.subject == "acme"


def test_rows_of_other_subjects_stay_byte_for_byte() -> None:
    fill("other", OTHER)
    before = all_rows()
    fill("acme", CANARY)
    kept = before & all_rows()

    erase_subject("acme")

    assert kept - all_rows() == {}


def test_an_erasure_returns_how_many_rows_it_erased_and_cancelled(said: Said) -> None:
    found = erase_subject("acme")

    assert found.erased == {
        "pending fetches": 1,
        "rejections": 2,
        "events": 6,
        "executions": 5,
        "traces": 2,
        "tasks": 5,
        "results in Celery's table": 2,
        "requests to test-mode URLs": 1,
    }
    assert found.cancelled == {
        "waiting events": 1,
        "open executions": 1,
        "open tasks": 3,
    }
    assert found.arrived == 0


def test_a_dry_run_counts_the_same_and_changes_nothing(said: Said) -> None:
    before = all_rows()
    counted = erase_subject("acme", is_dry=True)
    assert all_rows() == before

    found = erase_subject("acme")

    assert (counted.erased, counted.cancelled) == (found.erased, found.cancelled)


def test_a_second_erasure_finds_nothing(said: Said) -> None:
    erase_subject("acme")
    after = all_rows()

    assert erased() == {}
    assert all_rows() == after


def test_an_interrupted_erasure_is_continued(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(of_executions, "_erase", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            erase_subject("acme")
    assert "executions_triggerexecution" in tables_with(CANARY)

    erase_subject("acme")

    assert tables_with(CANARY) == set()
    assert not Event.objects.filter(subject="acme").exists()


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_is_not_final_ends_as_cancelled_by_a_person(said: Said) -> None:
    erase_subject("acme")

    said.held.refresh_from_db()
    waited = TriggerExecution.objects.get(event_id=said.waiting_id)
    assert [(one.status, one.reason) for one in (said.held, waited)] == [
        ("cancelled", "by_person")
    ] * 2
    assert not Inbox.objects.exists()
    assert set(AgentTask.objects.values_list("status", flat=True)) == {
        "succeeded",
        "failed",
        "cancelled",
    }


def test_each_pair_is_counted_once(said: Said) -> None:
    erase_subject("acme")
    fold_stats()

    stats = TriggerStats.objects.get(trigger=said.listener)
    executions = TriggerExecution.objects.filter(trigger=said.listener)
    assert stats.total_executions == executions.count() == 3
    assert stats.successful_executions == 1
    assert (stats.failed_executions, stats.skipped_executions) == (0, 0)


def test_an_erased_event_says_what_is_left_of_it(said: Said) -> None:
    event = Event.objects.get(pk=said.delivery_id)

    erase_subject("acme")

    left = Event.objects.get(pk=said.delivery_id)
    assert left.erased_at is not None
    assert (bytes(left.body), left.body_size) == (b"", event.body_size)
    assert (left.subject, left.delivery_id, left.content_type) == ("", "", "")
    assert (left.request, left.options) == (None, None)
    kept = ("type", "source", "endpoint_id", "received_at", "correlation_id")
    assert [getattr(left, n) for n in kept] == [getattr(event, n) for n in kept]


def test_a_redelivery_of_the_sender_is_still_a_duplicate(said: Said) -> None:
    erase_subject("acme")
    keys = EventKey.objects.count()

    body = f'{{"who":"{CANARY}"}}'.encode()
    again = accept(said.endpoint, body, X_Delivery_Id=CANARY)

    assert again.pk == said.delivery_id
    assert EventKey.objects.count() == keys


def test_an_erased_delivery_cannot_be_redelivered(said: Said) -> None:
    erase_subject("acme")

    with pytest.raises(NotRedeliverable) as refused:
        redeliver(delivery=Delivery.objects.get(pk=said.delivery_id))

    assert "its subject was erased" in refused.value.detail


def test_an_erased_delivery_without_a_body_cannot_be_redelivered() -> None:
    hook = make_hook("acme")
    assert hook.endpoint is not None
    event = accept(hook.endpoint, b"", content_type="text/plain")

    erase_subject("acme")

    with pytest.raises(NotRedeliverable):
        redeliver(delivery=Delivery.objects.get(pk=event.pk))


def test_an_event_of_no_subject_belongs_to_that_of_its_endpoint() -> None:
    hook = make_hook("acme")
    assert hook.endpoint is not None
    event = accept(hook.endpoint, b'{"who":"canary"}')
    Event.objects.update(subject="")

    assert erased() == {"events": 1}
    event.refresh_from_db()
    assert bytes(event.body) == b""


def test_an_event_that_carries_another_subject_is_not_touched() -> None:
    hook = make_hook("acme")
    assert hook.endpoint is not None
    accept(hook.endpoint, b'{"who":"canary"}')
    drain()
    Event.objects.update(subject="former")
    before = all_rows()

    assert erased() == {}
    assert all_rows() == before


def test_runs_of_a_trigger_for_events_of_no_subject_are_erased() -> None:
    event, listener = record(body=b'{"text":"canary"}'), make_listener()
    Event.objects.update(received_at=timezone.now() + timedelta(seconds=1))
    drain()
    listener.__class__.objects.filter(pk=listener.pk).update(subject="acme")

    assert erased() == {"tasks": 1}
    assert AgentTask.objects.get().parameters == {}
    event.refresh_from_db()
    assert bytes(event.body) == b'{"text":"canary"}'


def test_certificates_that_other_endpoints_use_are_kept(said: Said) -> None:
    certificate = PendingFetch.objects.create(
        kind="certificate",
        url="https://sender.example/cert.pem",
        endpoint_id=said.endpoint.pk,
        next_attempt_at=timezone.now(),
        status="done",
        result="PEM",
    )

    erase_subject("acme")

    assert PendingFetch.objects.get() == certificate
    assert not Rejection.objects.exists()
    assert not TaskResult.objects.exists()
    assert not ExecutionTrace.objects.exists()


@pytest.mark.parametrize("subject", ["acme", "Acme ltd", " "])
def test_a_misspelled_subject_is_noticed(subject: str) -> None:
    record(subject="acme ltd", body=b"canary")
    before = all_rows()

    with pytest.raises(UnknownSubject):
        erase_subject(subject)

    assert all_rows() == before


@pytest.mark.parametrize("subject", ["", "a" * 256, "a\x00b"])
def test_what_is_no_subject_is_refused(subject: str) -> None:
    event = record(body=b"canary")

    with pytest.raises(InvalidInput):
        erase_subject(subject)

    event.refresh_from_db()
    assert bytes(event.body) == b"canary"


def test_the_api_shows_what_is_left(api: APIClient, said: Said) -> None:
    erase_subject("acme")
    event, task = said.delivery_id, said.finished.pk
    body = api.get(f"/api/v1/events/{event}/body")

    paths = [
        "events", f"events/{event}", "deliveries", f"deliveries/{event}",
        "executions", f"executions/{said.held.pk}", "tasks", f"tasks/{task}",
        f"triggers/{said.hook.pk}", f"triggers/{said.hook.pk}/executions",
        f"triggers/{said.hook.pk}/status",
    ]  # fmt: skip
    shown = [api.get(f"/api/v1/{path}") for path in paths]

    assert [answer.status_code for answer in shown] == [200] * len(paths)
    assert CANARY.encode() not in b"".join(answer.content for answer in shown)
    assert (body.status_code, body.json()["error_code"]) == (410, "body_erased")
    assert api.get(f"/api/v1/deliveries/{event}/body").status_code == 410
    assert shown[1].json()["erased_at"] is not None
    assert shown[5].json()["reason"] == "by_person"


def test_the_pages_of_the_admin_show_what_is_left(
    client: Client, admin: User, said: Said
) -> None:
    erase_subject("acme")
    client.force_login(admin)

    rows = {
        "events_event": said.delivery_id,
        "webhooks_delivery": said.delivery_id,
        "executions_triggerexecution": said.held.pk,
        "agents_agenttask": said.finished.pk,
        "triggers_trigger": said.hook.pk,
        "webhooks_webhookendpoint": said.endpoint.pk,
    }
    urls = [reverse(f"admin:{name}_change", args=[pk]) for name, pk in rows.items()]
    urls += [reverse(f"admin:{name}_changelist") for name in rows]
    shown = [client.get(url) for url in urls]

    assert [page.status_code for page in shown] == [200] * 12
    assert CANARY.encode() not in b"".join(page.content for page in shown)
    assert b"Erased, with all that was stored of its subject" in shown[0].content
    assert b"a person cancelled it" in shown[2].content


def test_everything_goes_on_after_an_erasure(said: Said) -> None:
    erase_subject("acme")

    sweep()
    purge_history(pause=lambda _: None)
    record(subject="acme")
    drain()

    assert tables_with(CANARY) == set()
    newest = TriggerExecution.objects.filter(trigger=said.listener).latest("event_id")
    assert newest.status == "success"
