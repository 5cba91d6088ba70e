"""Permissions of the schedule views, and their queries."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.triggers.test_api_permissions import client_of

pytestmark = pytest.mark.django_db

DAILY = {"cron_expression": "@daily"}
QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("post", "schedules/preview", DAILY),
    ("post", "schedules/describe", DAILY),
    ("post", "schedules/validate", DAILY),
    ("post", "schedules/build", {}),
    ("post", "triggers/validate-cron", DAILY),
    ("get", "schedules/presets", {}),
    ("get", "schedules/presets/quarterly", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS)
def test_users_who_may_view_triggers_may_preview(
    method: str, path: str, body: dict[str, Any]
) -> None:
    response = getattr(client_of("view_trigger"), method)(f"/api/v1/{path}", body)

    assert response.status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS)
def test_other_users_may_not_preview(
    method: str, path: str, body: dict[str, Any]
) -> None:
    others = client_of("add_trigger", "change_trigger", "delete_trigger")

    anonymous = getattr(APIClient(), method)(f"/api/v1/{path}", body)
    refused = getattr(others, method)(f"/api/v1/{path}", body)

    assert anonymous.status_code == 401
    assert anonymous.json()["error_code"] == "not_authenticated"
    assert refused.status_code == 403
    assert refused.json()["error_code"] == "permission_denied"


@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS)
def test_a_preview_makes_no_query(
    api: APIClient,
    django_assert_num_queries: DjangoAssertNumQueries,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    with django_assert_num_queries(0):
        getattr(api, method)(f"/api/v1/{path}", body)


@pytest.mark.parametrize(
    ("method", "path"), [(m, path) for m, path, _ in QUESTIONS if m == "post"]
)
def test_a_preview_accepts_only_post(api: APIClient, method: str, path: str) -> None:
    response = api.get(f"/api/v1/{path}")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
