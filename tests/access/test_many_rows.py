"""Lists of many triggers, agents of many groups: constant queries, by indexes.

`make test-long` runs this with 100,000 triggers.
"""

from __future__ import annotations

import os
import re

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.roles import VIEWER
from agents.models import Agent
from tests.access.people import make_user
from tests.factories import make_agent
from triggers.models import Trigger, TriggerStats

pytestmark = pytest.mark.django_db

MANY = int(os.environ.get("MANY_TRIGGERS", "5000"))
FEW = 1_500  # more than a page of ten for each subject
GROUPS = 20
SUBJECTS = 20
API = "/api/v1/triggers"
PAGE = reverse("admin:triggers_trigger_changelist")
LISTS = (
    API,
    f"{API}?page=2&page_size=10",
    f"{API}?subject=subject 7",
    f"{API}?name=trigger",
    PAGE,
    f"{PAGE}?q=trigger",
)


@pytest.fixture
def agents() -> list[Agent]:
    """One agent for each of 20 groups."""
    made = []
    for number in range(GROUPS):
        agent = make_agent()
        agent.groups.add(Group.objects.create(name=f"group {number}"))
        made.append(agent)
    return made


def add_triggers(agents: list[Agent], count: int) -> None:
    now = timezone.now()
    triggers = Trigger.objects.bulk_create(
        Trigger(
            name=f"trigger {number} {now.timestamp()}",
            agent=agents[number % GROUPS],
            trigger_type="manual",
            subject=f"subject {number % SUBJECTS}" if number % 2 else "",
            schedule_anchor=now,
            created_at=now,
            updated_at=now,
        )
        for number in range(count)
    )
    TriggerStats.objects.bulk_create(TriggerStats(trigger=t) for t in triggers)


def queries_of(client: Client, subject: str) -> dict[str, list[str]]:
    """Return the queries of each list for a new member of a group."""
    group = Group.objects.get(name="group 7")
    found = {}
    for url in LISTS:
        user = make_user(VIEWER, subject=subject, group=group)
        client.force_login(user)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        found[url] = [one["sql"] for one in captured.captured_queries]
    return found


def seq_scans(queries: list[str]) -> list[str]:
    """Return the queries that read all triggers."""
    found = []
    with connection.cursor() as cursor:
        for sql in queries:
            if not sql.startswith("SELECT"):
                continue
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            if re.search(r"Seq Scan on triggers_trigger\b", plan):
                found.append(sql)
    return found


@pytest.mark.parametrize("subject", ["", "subject 7"])
def test_lists_cost_the_same_with_many_rows(
    agents: list[Agent], subject: str, client: Client
) -> None:
    add_triggers(agents, FEW)
    few = queries_of(client, subject)

    add_triggers(agents, MANY)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE triggers_trigger, triggers_triggerstats")
    many = queries_of(client, subject)

    assert {u: len(q) for u, q in many.items()} == {u: len(q) for u, q in few.items()}
    if subject:
        assert seq_scans([sql for queries in many.values() for sql in queries]) == []
