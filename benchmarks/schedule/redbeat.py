from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from celery.schedules import crontab, schedule
from redbeat.decoder import RedBeatJSONEncoder, to_timestamp
from redbeat.schedulers import RedBeatSchedulerEntry, ensure_conf

from benchmarks.reset import broker
from benchmarks.schedule.entries import (
    EDITED,
    LAST_RUN,
    QUEUE,
    TASK,
    Due,
    entry_name,
    hourly_instants,
)
from benchmarks.schedule.side import Side, delete_entries
from config.celery import app

_WRITTEN_AT_ONCE = 5000

# What RedBeat stores for an entry: its definition, its last run and its due time.
Row = tuple[dict[str, Any], datetime, datetime]


class RedBeatSide(Side):
    """RedBeat: an entry is a hash and a member of a sorted set."""

    name = "redbeat"
    scheduler = "redbeat.RedBeatScheduler"

    def fill(self, count: int) -> None:
        delete_entries()
        now = datetime.now(UTC)
        instants = hourly_instants(now)
        crontabs = [crontab(minute=at.minute, app=app) for at in instants]
        _write(
            (
                _definition(number, crontabs[number % len(crontabs)]),
                now - LAST_RUN,
                instants[number % len(instants)],
            )
            for number in range(count)
        )

    def make_due(self, due: Due) -> None:
        every = schedule(due.every, app=app)
        _write(
            (
                _definition(number, every),
                due.time_of(number) - due.every,
                due.time_of(number),
            )
            for number in range(due.count)
        )

    def edit(self, number: int) -> None:
        key = ensure_conf(app).key_prefix + entry_name(number)
        entry = RedBeatSchedulerEntry.from_key(key, app=app)
        entry.schedule = schedule(EDITED, app=app)
        entry.save()

    def reset_fired(self) -> None:
        super().reset_fired()
        with broker() as client:  # a beat that was killed still holds the lock
            client.delete(ensure_conf(app).lock_key)


def _definition(number: int, when: schedule | crontab) -> dict[str, Any]:
    return {
        "name": entry_name(number),
        "task": TASK,
        "args": [1],
        "kwargs": {},
        "options": {"queue": QUEUE},
        "schedule": when,
        "enabled": True,
    }


def _write(rows: Iterable[Row]) -> None:
    """Store entries as their `save` does, without a round trip for each."""
    conf = ensure_conf(app)
    with broker() as client, client.pipeline(transaction=False) as pipe:
        for definition, last_run_at, due_at in rows:
            key = conf.key_prefix + definition["name"]
            texts = {"definition": definition, "meta": {"last_run_at": last_run_at}}
            pipe.hset(key, mapping={n: _encode(text) for n, text in texts.items()})
            pipe.zadd(conf.schedule_key, {key: to_timestamp(due_at)})
            if len(pipe) >= _WRITTEN_AT_ONCE:
                pipe.execute()
        pipe.execute()


def _encode(value: object) -> str:
    return json.dumps(value, cls=RedBeatJSONEncoder)
