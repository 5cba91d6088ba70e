from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from events.models import Event, EventSource
from executions.pipeline.match import find_pairs, patterns_for
from tests.factories import make_listener, make_trigger, record
from triggers.models import Trigger
from triggers.services.lifecycle import delete_trigger, disable_trigger

pytestmark = pytest.mark.django_db


def matched(event: Event) -> set[str]:
    return {pair.trigger.name for pair in find_pairs([event])[1]}


def by_webhook(trigger: Trigger, event_type: str = "generic.received") -> Event:
    return record(
        type=event_type, source=EventSource.WEBHOOK, endpoint_id=trigger.endpoint_id
    )


@pytest.mark.parametrize(
    ("event_type", "source", "patterns"),
    [
        ("invoice.paid", "emit", ["invoice.paid", "invoice.*", "*"]),
        ("a.b.c", "internal", ["a.b.c", "a.*", "a.b.*", "*"]),
        ("single", "emit", ["single", "*"]),
        ("github.push", "webhook", ["github.push", "github.*"]),
    ],
)
def test_an_event_type_has_few_patterns(
    event_type: str, source: str, patterns: list[str]
) -> None:
    assert patterns_for(event_type, source) == patterns


@pytest.mark.parametrize("pattern", ["invoice.paid", "invoice.*", "*"])
def test_an_event_matches_exact_type_prefix_and_star(pattern: str) -> None:
    make_listener(name="hears", event_types=[pattern])
    make_listener(name="other", event_types=["invoice.sent", "invoices.*", "paid"])

    assert matched(record(type="invoice.paid")) == {"hears"}


def test_a_trigger_with_several_matching_patterns_is_one_pair() -> None:
    make_listener(event_types=["invoice.paid", "invoice.*", "*"])

    assert len(find_pairs([record()])[1]) == 1


def test_a_webhook_matches_only_patterns_with_its_slug() -> None:
    make_listener(name="slug", event_types=["github.*"])
    make_listener(name="exact", event_types=["github.push"])
    make_listener(name="all", event_types=["*"])

    event = record(type="github.push", source=EventSource.WEBHOOK)

    assert matched(event) == {"slug", "exact"}


def test_a_webhook_is_matched_separately_from_an_emitted_event_of_the_same_batch() -> (
    None
):
    make_listener(name="all", event_types=["*"])
    own = record(type="github.push", source=EventSource.EMIT)
    sent = record(type="github.push", source=EventSource.WEBHOOK)

    _, pairs = find_pairs([own, sent])

    assert [pair.event.id for pair in pairs] == [own.id]


def test_a_subject_matches_its_own_triggers_and_those_without_a_subject() -> None:
    make_listener(name="acme", subject="acme")
    make_listener(name="other", subject="other")
    make_listener(name="all", subject="")

    assert matched(record(subject="acme")) == {"acme", "all"}
    assert matched(record(subject="")) == {"all"}


def test_an_event_that_names_a_trigger_finds_only_that() -> None:
    aimed_at = make_listener(name="aimed")
    make_listener(name="other", event_types=["*"])

    assert matched(record(trigger_id=aimed_at.id)) == {"aimed"}


def test_an_event_that_names_an_unknown_trigger_finds_none() -> None:
    make_listener(event_types=["*"])

    assert matched(record(trigger_id=record().id)) == set()


def test_an_endpoint_serves_all_its_triggers() -> None:
    first = make_trigger(name="first", trigger_type="webhook")
    make_trigger(name="second", trigger_type="webhook", endpoint=first.endpoint)
    make_trigger(name="other", trigger_type="webhook")

    assert matched(by_webhook(first)) == {"first", "second"}


def test_an_inactive_trigger_is_found_by_name_and_endpoint_not_by_type() -> None:
    webhook = make_trigger(name="webhook", trigger_type="webhook", is_active=False)
    listener = make_listener(name="listener", is_active=False)

    assert matched(by_webhook(webhook)) == {"webhook"}
    assert matched(record(trigger_id=listener.id)) == {"listener"}
    assert matched(record()) == set()


def test_a_trigger_enabled_after_the_event_does_not_match_it() -> None:
    event = record()
    make_listener()

    assert matched(event) == set()


def test_a_trigger_created_after_the_event_does_not_match_by_its_endpoint() -> None:
    first = make_trigger(name="first", trigger_type="webhook")
    event = by_webhook(first)
    make_trigger(name="later", trigger_type="webhook", endpoint=first.endpoint)

    assert matched(event) == {"first"}


def test_a_disabled_or_deleted_trigger_matches_nothing() -> None:
    disabled, deleted = make_listener(), make_listener()
    event = record()

    disable_trigger(trigger_id=disabled.id)
    delete_trigger(trigger_id=deleted.id)

    assert matched(event) == set()
    assert matched(record(trigger_id=deleted.id)) == set()


def test_a_batch_takes_as_many_queries_as_an_event(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    webhook = make_trigger(trigger_type="webhook")
    listeners = [make_listener(event_types=[f"kind-{n}.*"]) for n in range(5)]
    events = [record(type=f"kind-{n % 5}.x") for n in range(40)]
    events += [record(trigger_id=listener.id) for listener in listeners]
    events += [by_webhook(webhook) for _ in range(5)]

    for batch in (events[:1], events):
        with django_assert_num_queries(2):
            find_pairs(batch)

    assert len(find_pairs(events)[1]) == 50


def test_pairs_are_in_the_order_of_events() -> None:
    make_listener(), make_listener()
    events = [record() for _ in range(3)]

    _, pairs = find_pairs(events)

    assert [p.event.id for p in pairs] == [e.id for e in events for _ in range(2)]
    assert all(
        p.event.received_at - events[0].received_at < timedelta(1) for p in pairs
    )
