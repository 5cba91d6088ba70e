from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import connection

from events.models import Event
from tests.outages import closed_database, end_connections, read_only_database
from tests.serving import serve
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import RejectionCount
from webhooks.rejections import recording
from webhooks.rejections.recording import count_handshake

OUTAGES = "common.database.errors"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _leave_a_fresh_connection() -> Iterator[None]:
    yield
    connection.close()


@pytest.fixture
def path() -> str:
    return f"/webhooks/{create_endpoint().endpoint.webhook_id}"


def test_a_delivery_is_accepted_after_the_server_was_restarted(path: str) -> None:
    assert serve(path, b"{}").status_code == 200
    end_connections()

    assert serve(path, b"{}").status_code == 200


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_a_delivery_during_an_outage_is_503_and_later_accepted(
    path: str, outage: type, caplog: pytest.LogCaptureFixture
) -> None:
    with outage():
        answers = [serve(path, b"{}") for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert json.loads(answer.content)["error_code"] == "unavailable"
    assert [record for record in caplog.records if record.exc_info] == []
    lines = [record for record in caplog.records if record.name == OUTAGES]
    assert len(lines) <= 1
    assert not Event.objects.exists()
    assert serve(path, b"{}").status_code == 200


def test_rejections_wait_for_the_database_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = create_endpoint().endpoint
    count_handshake(endpoint_id=endpoint.id)

    with read_only_database():
        connection.close()
        assert not recording._flush()
    assert recording._flush()

    assert [record for record in caplog.records if record.exc_info] == []
    assert RejectionCount.objects.get().count == 1
