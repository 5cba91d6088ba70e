from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from access.admin.base import HistoryAdmin
from agents.models import AgentTask, Worker
from common.admin.display import json_block, text_block
from common.admin.forms import JSONObjectField, LinesField
from events.models import Event, Inbox
from executions.models import DrainLease, ExecutionTrace, TriggerExecution
from triggers.models import (
    ScheduleVersion,
    StatsDelta,
    Subscription,
    Trigger,
    TriggerStats,
)
from webhooks.models import Rejection

ODD_QUERIES = (
    "?q=%00",
    "?q=0192f0c1-0000-7000-8000-000000000000",
    "?q=%ED%A0%80'\"(",
    "?p=999999999999999999999",
    "?p=-1",
    "?p=nothing",
    "?o=99.-99.x",
    "?pk__exact=%00",
    "?nothing__exact=1",
    "?all=",
)
HISTORY: tuple[type[Model], ...] = (
    AgentTask, DrainLease, Event, ExecutionTrace, Inbox, Rejection, ScheduleVersion,
    StatsDelta, Subscription, TriggerExecution, TriggerStats, Worker,
)  # fmt: skip


ADMINS = [
    pytest.param(model_admin, id=model._meta.label_lower)
    for model, model_admin in django_admin.site._registry.items()
]


def list_url(model_admin: ModelAdmin[Any]) -> str:
    opts = model_admin.model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("model_admin", ADMINS)
def test_a_list_accepts_any_search(pages: Client, model_admin: ModelAdmin[Any]) -> None:
    response = pages.get(list_url(model_admin), {"q": "%_'\"("})

    assert response.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("query", ODD_QUERIES)
@pytest.mark.parametrize("model", [Event, Trigger])
def test_a_list_accepts_any_query(
    pages: Client, model: type[Model], query: str
) -> None:
    url = list_url(django_admin.site._registry[model])

    response = pages.get(url + query, follow=True)

    assert response.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("model_admin", ADMINS)
def test_a_missing_page_redirects_to_the_index(
    pages: Client, model_admin: ModelAdmin[Any]
) -> None:
    for pk in ("%00", "nothing", "99999999999999999999"):
        response = pages.get(f"{list_url(model_admin)}{pk}/change/")

        assert response.status_code == 302
        assert response["Location"] == reverse("admin:index")


@pytest.mark.django_db
def test_a_filter_that_the_database_rejects_redirects_to_the_unfiltered_list(
    pages: Client,
) -> None:
    url = reverse("admin:triggers_trigger_changelist")

    response = pages.get(f"{url}?name__exact=%00")

    assert response["Location"] == f"{url}?e=1"


@pytest.mark.django_db
@pytest.mark.parametrize("model", HISTORY, ids=lambda model: model.__name__)
def test_history_can_only_be_read(pages: Client, model: type[Model]) -> None:
    model_admin = django_admin.site._registry[model]
    opts = model._meta

    response = pages.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_add"))

    assert isinstance(model_admin, HistoryAdmin)
    assert response.status_code == 403
    assert model_admin.actions is None


@pytest.mark.django_db
def test_the_index_requires_a_login(client: Client) -> None:
    response = client.get(reverse("admin:index"))

    assert response["Location"].startswith(reverse("admin:login"))


def test_text_from_senders_is_escaped_and_cut() -> None:
    shown = text_block("<script>" + "x" * 30_000)

    assert "&lt;script&gt;x" in shown
    assert "10008 more characters" in shown


def test_json_with_lone_surrogates_is_shown_with_escapes() -> None:
    shown = json_block({"name": "\ud800"})

    assert "\\ud800" in shown
    assert shown.encode()


@pytest.mark.parametrize(
    "text",
    ["[]", "NaN", '{"a": NaN}', '{"a": "\\u0000"}', "{", "[" * 100_000, "1" * 5000],
)
def test_a_value_that_is_not_a_storable_object_is_rejected(text: str) -> None:
    with pytest.raises(ValidationError):
        JSONObjectField().clean(text)


def test_an_empty_field_is_the_empty_object() -> None:
    assert JSONObjectField(required=False).clean("") == {}


def test_lines_are_stripped_and_empty_lines_ignored() -> None:
    assert LinesField().clean(" a.b \n\n c.*\r\n") == ["a.b", "c.*"]
