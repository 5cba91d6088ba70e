from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.config.openapi import PREFIX, operations
from tests.factories import make_trigger

pytestmark = pytest.mark.django_db

# The parameters that a list reads by itself.
OWN = {"page", "page_size", "sort_by", "sort_order", "format"}


def test_every_filter_rejects_an_empty_value(api: APIClient) -> None:
    trigger = make_trigger()
    seen = 0

    for method, path, operation in operations():
        if method != "get" or not operation["operationId"].endswith("_list"):
            continue
        url = PREFIX + path.replace("{id}", str(trigger.pk))
        for parameter in operation.get("parameters", ()):
            name = parameter["name"]
            if parameter["in"] == "query" and name not in OWN:
                response = api.get(url, {name: ""})
                assert (url, name, response.status_code) == (url, name, 400)
                assert [e["pointer"] for e in response.json()["errors"]] == [f"/{name}"]
                seen += 1
    assert seen > 40


def test_the_error_names_each_empty_filter_and_what_to_do(api: APIClient) -> None:
    response = api.get(f"{PREFIX}/events?trigger_id=&type=+&source=emit")

    assert response.json()["detail"] == (
        "type is empty. Give it a value or leave it out. "
        "trigger_id is empty. Give it a value or leave it out."
    )


def test_the_form_of_the_browsable_api_may_leave_filters_empty(api: APIClient) -> None:
    make_trigger(name="shown")

    response = api.get(
        f"{PREFIX}/triggers?name=&subject=&trigger_type=manual",
        HTTP_ACCEPT="text/html",
    )

    assert response.status_code == 200
    assert "shown" in response.content.decode()
