from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from tests.factories import make_trigger
from tests.triggers.due_triggers import make_due
from triggers.models import ScheduleVersion, Trigger

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page_of(trigger: Trigger) -> str:
    return reverse("admin:triggers_trigger_change", args=[trigger.pk])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 * * * *", "In the last 24 hours: 24 waiting"),
        ("* * * * * *", "In the last minute: 60 waiting"),
    ],
)
def test_a_schedules_page_shows_its_ledger(
    pages: Client, expression: str, expected: str
) -> None:
    two_days_ago = timezone.now() - 2 * DAY
    trigger = make_due(cron_expression=expression, due_at=two_days_ago)
    ScheduleVersion.objects.update(valid_from=two_days_ago)

    page = pages.get(page_of(trigger))

    assertContains(page, expected)
    assertContains(page, "Scheduled for")


def test_a_trigger_without_a_schedule_has_no_ledger(pages: Client) -> None:
    assertNotContains(pages.get(page_of(make_trigger())), "Occurrences")
