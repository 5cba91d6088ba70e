from __future__ import annotations

import math
import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.models import Worker
from agents.services import heartbeat
from agents.services.heartbeat import has_watched_long_enough
from executions.sweep import watch_agents
from tests.outages import read_only_database

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_just_came_does_not_judge_the_silence_of_others() -> None:
    assert not has_watched_long_enough()
    assert watch_agents() == 0


def test_after_twenty_seconds_of_beats_silence_is_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_watched_long_enough()
    monkeypatch.setattr(heartbeat, "_steady_since", time.monotonic() - 20)

    assert has_watched_long_enough()


def test_a_server_that_hung_starts_the_watch_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_watched_long_enough()
    now = time.monotonic()
    monkeypatch.setattr(heartbeat, "_steady_since", now - 100)
    monkeypatch.setattr(heartbeat, "_beaten_at", now - 30)
    before = has_watched_long_enough()

    heartbeat._beat_once()

    assert (before, has_watched_long_enough()) == (False, False)


def test_heartbeats_go_on_after_a_read_only_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heartbeat.current_worker()
    monkeypatch.setattr(heartbeat, "_steady_since", time.monotonic() - 100)

    with read_only_database():
        heartbeat._beat_once()
        assert heartbeat._steady_since == math.inf
    heartbeat._beat_once()

    assert heartbeat._steady_since < math.inf


def test_a_beat_that_failed_starts_the_watch_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_watched_long_enough()
    monkeypatch.setattr(heartbeat, "_steady_since", math.inf)

    assert not has_watched_long_enough()


def test_after_an_outage_no_worker_is_forgotten_at_once() -> None:
    has_watched_long_enough()
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert watch_agents() == 0
    assert Worker.objects.count() == 1
