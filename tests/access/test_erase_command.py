from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings

from access import erasure
from common import redis as common_redis
from events.models import Event
from executions.pipeline.drain import drain
from tests.factories import make_listener, record
from tests.webhooks.received import make_endpoint

pytestmark = pytest.mark.django_db

NOT_REACHED = (
    "Not reached: backups and archived WAL, log files, and what agents stored "
    "(docs/erasing-a-subject.md).\n"
)
TABLE = """\
         1  waiting events, cancelled
         0  open executions, cancelled
         1  open tasks, cancelled
         2  events
         1  executions
         0  traces
         1  tasks
         0  results in Celery's table
         4  rows in total
"""


def erase(*options: str) -> str:
    output = StringIO()
    call_command("erase", *options, stdout=output)
    return output.getvalue()


def say(subject: str) -> None:
    """Record two events of a subject, one of which has a task."""
    make_listener(subject=subject)
    record(subject=subject, body=b'{"text":"canary"}')
    drain()
    record(subject=subject, body=b"canary")


def test_the_command_prints_what_it_erased_and_what_it_cannot_reach(
    caplog: pytest.LogCaptureFixture,
) -> None:
    say("ana@example.test")

    with caplog.at_level(logging.INFO, "access.erasure"):
        printed = erase("--subject", "ana@example.test")

    assert printed == TABLE + NOT_REACHED
    [line] = [r.getMessage() for r in caplog.records if r.name == "access.erasure"]
    digest = line.split()[2]
    assert len(digest) == 13
    assert line == f"Erased subject {digest} 2 events, 1 executions, 1 tasks"
    assert "ana" not in caplog.text


def test_a_dry_run_prints_the_same_table(caplog: pytest.LogCaptureFixture) -> None:
    say("acme")

    with caplog.at_level(logging.INFO, "access.erasure"):
        printed = erase("--subject", "acme", "--dry-run")

    assert printed == f"{TABLE}Nothing was erased: this was a dry run.\n"
    assert not [r for r in caplog.records if r.name == "access.erasure"]


def test_a_second_run_for_a_known_subject_prints_zeros() -> None:
    say("acme")
    erase("--subject", "acme")

    assert erase("--subject", "acme").endswith(f"0  rows in total\n{NOT_REACHED}")


def test_a_subject_that_nothing_carries_is_an_error() -> None:
    with pytest.raises(CommandError) as refused:
        erase("--subject", "acme")

    assert str(refused.value) == (
        "Nothing carries this subject: it is misspelled, or it is erased already."
    )


def test_a_subject_is_required() -> None:
    record(body=b"canary")

    with pytest.raises(CommandError, match="--subject"):
        erase()
    with pytest.raises(CommandError, match="belong to no subject"):
        erase("--subject", "")
    assert bytes(Event.objects.get().body) == b"canary"


def test_events_that_arrive_faster_than_they_are_erased_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    say("acme")

    def arrive(scope: erasure.Scope, is_dry: bool) -> Iterator[erasure.Batch]:
        record(subject="acme")
        return iter(())

    late = (erasure.Stage.REDIS, arrive)
    monkeypatch.setattr(erasure, "_parts", [*erasure._parts, late])

    printed = erase("--subject", "acme")

    assert "         4  events\n" in printed
    assert "1 events arrived meanwhile: run the command again.\n" in printed


def test_everything_else_is_erased_while_redis_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(subject="acme")
    event = record(subject="acme", body=b"canary")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    breaker = common_redis.CircuitBreaker(lambda: None, consequence="")
    monkeypatch.setattr(common_redis, "breaker", breaker)

    with pytest.raises(CommandError, match="Redis"):
        erase("--subject", "acme")

    event.refresh_from_db()
    assert (bytes(event.body), event.subject) == (b"", "")


def test_an_unavailable_database_stops_the_command_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lose(scope: erasure.Scope, is_dry: bool) -> Iterator[erasure.Batch]:
        raise OperationalError("the connection is lost")

    say("acme")
    lost = (erasure.Stage.REDIS, lose)
    monkeypatch.setattr(erasure, "_parts", [*erasure._parts, lost])

    with (
        caplog.at_level(logging.INFO, "access.erasure"),
        pytest.raises(CommandError) as stopped,
    ):
        erase("--subject", "acme")

    assert str(stopped.value) == (
        "Stopped (OperationalError). Run the command again to continue"
    )
    assert ": 2 events, 1 executions, 1 tasks" in caplog.text
