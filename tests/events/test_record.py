from __future__ import annotations

import json
from functools import partial
from uuid import UUID

import pytest
from django.db import DataError, transaction
from pytest_django import DjangoAssertNumQueries

from common.fields import dump_json
from common.ids import uuid7
from events.models import Event, EventSource, Inbox
from events.services.record import dedupe_key, record_events
from tests.factories import new_event, record
from tests.races import ROUNDS, race, race_all

pytestmark = pytest.mark.django_db(transaction=True)


def record_under(key: UUID) -> set[UUID]:
    return record_events([new_event(dedupe_key=key)])


def test_one_key_in_eight_threads_is_one_event() -> None:
    for round_number in range(ROUNDS):
        key = dedupe_key(EventSource.EMIT, "", f"order-{round_number}")

        recorded = race(partial(record_under, key))

        assert sorted(len(ids) for ids in recorded) == [0] * 7 + [1]
    assert Event.objects.count() == ROUNDS
    assert set(Inbox.objects.values_list("pk", flat=True)) == set(
        Event.objects.values_list("pk", flat=True)
    )


def test_the_same_keys_in_two_orders_do_not_deadlock() -> None:
    for round_number in range(ROUNDS):
        keys = [
            dedupe_key(EventSource.EMIT, "", f"order-{round_number}-{number}")
            for number in range(500)
        ]
        orders = [keys, keys[::-1]]

        recorded = race_all(
            [
                partial(record_events, [new_event(dedupe_key=key) for key in order])
                for order in orders
            ]
        )

        assert sorted(len(ids) for ids in recorded) == [0, 500]


def test_events_without_a_key_are_all_recorded() -> None:
    events = [new_event(), new_event()]

    assert record_events(events) == {event.id for event in events}

    assert Event.objects.count() == Inbox.objects.count() == 2


def test_the_inbox_stores_the_size_of_the_body() -> None:
    event = record(body=b"12345")
    replay = record(replay_of=event.id, body_size=event.body_size)
    record_events([new_event(body=b"1"), new_event(body=b"22")])

    sizes = dict(Inbox.objects.values_list("pk", "body_size"))
    assert (sizes[event.id], sizes[replay.id]) == (5, 5)
    assert sorted(sizes.values()) == [1, 2, 5, 5]


def test_a_known_id_is_omitted() -> None:
    event = new_event()

    record_events([event])

    assert record_events([event]) == set()
    assert Event.objects.count() == 1


def test_one_key_twice_in_one_call_is_one_event() -> None:
    key = dedupe_key(EventSource.EMIT, "", "twice")

    recorded = record_events([new_event(dedupe_key=key), new_event(dedupe_key=key)])

    assert len(recorded) == Event.objects.count() == Inbox.objects.count() == 1


def test_any_number_of_events_is_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    events = [new_event() for _ in range(100)]

    with django_assert_num_queries(1):
        record_events(events)

    assert Inbox.objects.count() == 100


def test_recording_no_events_runs_no_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert record_events([]) == set()


def test_all_are_recorded_or_none() -> None:
    with pytest.raises(DataError):
        record_events([new_event(), new_event(subject="s" * 256)])

    assert not Event.objects.exists()
    assert not Inbox.objects.exists()


def test_a_rolled_back_event_is_in_neither_table() -> None:
    with transaction.atomic():
        record_events([new_event()])
        transaction.set_rollback(True)

    assert not Event.objects.exists()
    assert not Inbox.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        bytes(range(256)),
        b'{"a": "\\u0000 \\ud800"}',
        b"\xff\xfe not UTF-8 %s %% \\",
        b"x" * 1_000_000,
    ],
    ids=["empty", "nul", "all-bytes", "escapes", "not-utf8", "1MB"],
)
def test_a_body_is_stored_byte_for_byte(body: bytes) -> None:
    event = record(body=body)

    assert bytes(event.body) == body
    assert event.body_size == len(body)


def test_a_request_keeps_nul_and_lone_surrogates() -> None:
    request = {"headers": {"x": "a\x00b"}, "query": {"q": "\ud800"}}

    event = record(request=dump_json(request))

    assert event.request == request
    assert json.loads(json.dumps(event.request)) == request


def test_ids_sort_in_the_order_of_creation() -> None:
    ids = [uuid7() for _ in range(10_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 10_000
    assert {i.version for i in ids} == {7}


def test_keys_of_different_parts_differ() -> None:
    keys = {
        dedupe_key(EventSource.EMIT, "a", "b"),
        dedupe_key(EventSource.WEBHOOK, "a", "b"),
        dedupe_key(EventSource.EMIT, "ab", ""),
        dedupe_key(EventSource.EMIT, "", "ab"),
        dedupe_key(EventSource.EMIT, "a", "\ud800"),
        dedupe_key(EventSource.EMIT, "a", "b" * 100_000),
    }

    assert len(keys) == 6
