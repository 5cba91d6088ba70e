"""Every operation of the API rejects query parameters that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import re2
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern
from rest_framework.test import APIClient

from common.api.views import StrictAPIView
from config.urls import api_urlpatterns
from tests.config.openapi import PREFIX, faults_of, operations
from tests.factories import make_agent, make_trigger
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

PLACE = re2.compile(r"{\w+}")


def url_of(path: str) -> str:
    return f"{PREFIX}{PLACE.sub(str(uuid4()), path.replace('{number}', '1'))}"


def documented() -> Iterator[tuple[str, str, list[str]]]:
    """Yield method, path and query parameters of each operation."""
    for method, path, operation in operations():
        parameters = operation.get("parameters", ())
        yield method, path, [p["name"] for p in parameters if p["in"] == "query"]


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    client.defaults["HTTP_ACCEPT"] = "text/html"
    return client


def test_every_view_of_the_api_is_strict() -> None:
    routes = [p for p in api_urlpatterns if isinstance(p, URLPattern)]

    assert len(routes) > 20
    for route in routes:
        view: Any = route.callback
        assert issubclass(view.cls, StrictAPIView), route


def test_every_operation_rejects_an_unknown_parameter(api: APIClient) -> None:
    for method, path, known in documented():
        response = getattr(api, method)(f"{url_of(path)}?surprise=1", {})

        assert response.status_code == 400, (method, path)
        (fault,) = response.json()["errors"]
        assert fault["pointer"] == "/surprise"
        assert fault["detail"].startswith("Unknown query parameter 'surprise'. ")
        advice = "Known are: " if known else "This operation has none."
        assert advice in fault["detail"]
        assert faults_of(method, path, response) == []


def test_a_misspelled_parameter_is_answered_with_the_right_name(api: APIClient) -> None:
    for method, path, known in documented():
        for name in known:
            for wrong in (
                f"{name}x",
                name.upper(),
                name[1:] if len(name) > 4 else name,
            ):
                if wrong in {*known, "format"}:
                    continue
                response = getattr(api, method)(f"{url_of(path)}?{wrong}=1")

                assert response.status_code == 400, (path, wrong)
                detail = response.json()["errors"][0]["detail"]
                assert f"Did you mean {name!r}?" in detail, (path, wrong)


def test_several_unknown_parameters_are_named_at_once(api: APIClient) -> None:
    response = api.get(f"{PREFIX}/triggers?pagesize=2&a~/b=1&is_active=true")

    assert response.json()["errors"] == [
        {
            "pointer": "/a~0~1b",
            "detail": "Unknown query parameter 'a~/b'. Known are: agent_id, "
            "endpoint_id, is_active, name, owner, page, page_size, subject, "
            "trigger_type.",
        },
        {
            "pointer": "/pagesize",
            "detail": "Unknown query parameter 'pagesize'. Did you mean 'page_size'?",
        },
    ]


def test_at_most_twenty_unknown_parameters_are_named(api: APIClient) -> None:
    query = "&".join(f"{'x' * 200}{n}=1" for n in range(30))

    response = api.get(f"{PREFIX}/events?{query}")

    faults = response.json()["errors"]
    assert len(faults) == 20
    assert {len(fault["pointer"]) for fault in faults} == {101}


def test_a_rejected_parameter_changes_nothing(api: APIClient) -> None:
    fields = {"name": "a", "agent_id": str(make_agent().pk), "trigger_type": "manual"}
    kept = make_trigger()

    created = api.post(f"{PREFIX}/triggers?dry_run=true", fields)
    deleted = api.delete(f"{PREFIX}/triggers/{kept.pk}?dry_run=true")

    assert (created.status_code, deleted.status_code) == (400, 400)
    assert Trigger.objects.present().get() == kept


@pytest.mark.parametrize("path", ["/triggers", "/events", "/", "/webhook-types"])
def test_the_format_is_never_an_unknown_parameter(api: APIClient, path: str) -> None:
    assert api.get(f"{PREFIX}{path}?format=json").status_code == 200


def test_a_list_accepts_all_of_its_parameters(api: APIClient) -> None:
    response = api.get(
        f"{PREFIX}/executions?page=1&page_size=9&sort_by=status&sort_order=asc"
        f"&status=failed&trigger_id={uuid4()}&start_date=2026-01-01"
    )

    assert response.status_code == 200


def test_parameters_are_checked_after_the_permissions() -> None:
    response = APIClient().get(f"{PREFIX}/triggers?surprise=1")

    assert response.status_code == 401


def test_options_and_head_take_what_a_get_takes(api: APIClient) -> None:
    url = f"{PREFIX}/triggers?page=1"

    assert api.head(url).status_code == 200
    assert api.options(url).status_code == 200
    assert api.head(f"{url}&surprise=1").status_code == 400


def test_the_forms_of_a_filtered_page_work(browser: Client) -> None:
    fields = {"name": "a", "backend": "memory"}

    page = browser.get(f"{PREFIX}/agents?page=1&name=&is_active=true")
    posted = browser.post(
        f"{PREFIX}/agents?page=1&name=&is_active=true",
        fields,
        content_type="application/json",
    )

    assert page.status_code == 200
    assert posted.status_code == 201


def test_a_page_shows_the_unknown_parameter(browser: Client) -> None:
    response = browser.get(f"{PREFIX}/agents?actve=true")

    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")
    assert "Unknown query parameter" in response.content.decode()


def test_the_second_page_can_be_browsed(browser: Client) -> None:
    for name in ("a", "b"):
        make_trigger(name=name)

    first = browser.get(f"{PREFIX}/triggers?page_size=1").content.decode()

    assert f"{PREFIX}/triggers?page=2&amp;page_size=1" in first
    second = browser.get(f"{PREFIX}/triggers?page=2&page_size=1")
    assert second.status_code == 200
