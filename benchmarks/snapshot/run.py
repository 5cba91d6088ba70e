from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

from agents.models import Agent, AgentTask
from benchmarks.ingest import OURS, Side, make_sides
from benchmarks.open_loop import Offer, offer_all, p99
from benchmarks.our_events import make_triggers
from benchmarks.servers import web_server
from benchmarks.snapshot import backend
from benchmarks.snapshot.figures import Window
from benchmarks.snapshot.processes import running
from benchmarks.snapshot.statements import read_costs, start_counting
from events.models import Inbox
from local.embedded import EmbeddedServers
from triggers.models import ScheduleType, TriggerType
from triggers.services.lifecycle import create_trigger

WEBHOOKS_PER_SECOND = 50
SCHEDULED = 1000
EVERY_SECONDS = 60
WARM_UP_SECONDS = 90.0

_SPREAD = """
UPDATE triggers_trigger t SET schedule_anchor = n.at, next_run_time = n.at,
    next_scheduled_for = n.at
FROM (
    SELECT id, statement_timestamp()
        + %s * interval '1 second' * row_number() OVER () / count(*) OVER () AS at
    FROM triggers_trigger WHERE trigger_type = 'cron'
) n WHERE t.id = n.id
"""


def measure_snapshot(
    servers: EmbeddedServers, *, events_per_second: int, minutes: float, window: float
) -> tuple[list[Window], str]:
    """Return the measurements of the windows, and the number of open events."""
    _make_installation()
    side = make_sides()[OURS]
    windows: list[Window] = []
    with (
        web_server() as web,
        running(events_per_second=events_per_second - WEBHOOKS_PER_SECOND),
    ):
        start = time.monotonic() + min(WARM_UP_SECONDS, 60 * minutes)
        while time.monotonic() < start:
            windows.append(_measure(side, web.port, window, at=0))
        with _held(servers.database_url):
            start = time.monotonic()
            while (at := time.monotonic() - start) < 60 * minutes:
                windows.append(_measure(side, web.port, window, at=at + window))
        open_tasks = AgentTask.objects.filter(status__in=("submitted", "running"))
        left = f"{Inbox.objects.count():,} events and {open_tasks.count():,} tasks"
    return windows, left


def _measure(side: Side, port: int, seconds: float, *, at: float) -> Window:
    offer = Offer(
        requests=side.requests(int(WEBHOOKS_PER_SECOND * seconds)),
        per_second=WEBHOOKS_PER_SECOND,
        source="127.0.0.1",
        status=side.status,
    )
    start_counting()
    [latencies] = offer_all([offer], port=port)
    measured = Window(at=at, costs=read_costs(), p99_ms=p99(latencies) * 1000)
    claim = measured.costs["claim"]
    print(
        f"{at:5.0f} s: claim {claim.ms:.2f} ms / {claim.buffers:,.0f}, "
        f"p99 {measured.p99_ms:.1f} ms",
        file=sys.stderr,
    )
    return measured


@contextmanager
def _held(url: str) -> Iterator[None]:
    """Hold a snapshot like a forgotten session, longer than the server allows."""
    with psycopg.connect(url) as holder:
        holder.execute("SET idle_in_transaction_session_timeout = 0")
        holder.commit()
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT count(*) FROM agents_agent")
        yield
        holder.rollback()


def _make_installation() -> None:
    agent = Agent.objects.create(name="bench", backend=backend.NAME)
    make_triggers(agent)
    for number in range(SCHEDULED):
        fields = {
            "name": f"entry {number}",
            "agent": agent,
            "trigger_type": TriggerType.CRON,
            "schedule_type": ScheduleType.INTERVAL,
            "schedule_config": {"interval_seconds": EVERY_SECONDS},
            "max_executions_per_hour": None,
        }
        create_trigger(fields=fields)
    with connection.cursor() as cursor:
        cursor.execute(_SPREAD, [EVERY_SECONDS])
