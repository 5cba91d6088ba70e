"""`make up` in a clean clone, up to the first executions of the demo."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from local.report import DEMO_EXECUTIONS
from tests.acceptance.clone import Clone
from tests.config.processes import is_gone

pytestmark = pytest.mark.acceptance


def ask_flower(credentials: dict[str, str]) -> list[int]:
    """Return the statuses of a page of Flower without its login and with it."""
    name, password = credentials["flower_username"], credentials["flower_password"]
    url = f"{credentials['flower_url']}/workers"
    logins = (None, (name, password))
    with httpx2.Client(trust_env=False) as client:
        return [client.get(url, auth=login).status_code for login in logins]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_a_clean_clone_runs_the_three_executions_of_the_demo(clone: Clone) -> None:
    with clone.up() as output:
        processes = clone.processes()
        credentials = clone.credentials()

        assert credentials["flower_password"] in output
        assert ask_flower(credentials) == [401, 200]
        assert output.count("succeeded") == DEMO_EXECUTIONS
        assert set(processes) == {
            *("valkey", "postgres", "web", "worker", "worker-slow", "agents"),
            *("beat", "flower"),
        }

    assert [name for name, pid in processes.items() if not is_gone(pid)] == []


def test_without_workers_the_demo_reports_waiting_events(clone: Clone) -> None:
    clone.drop_from_procfile("worker", "worker-slow", "agents")

    with clone.up() as output:
        assert "events wait: the worker has not processed them" in output
        assert "succeeded" not in output
