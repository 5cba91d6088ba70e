"""What a newcomer sees: `make up` in a clean clone, and the demo's first executions."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.stack.demo import DEMO_EXECUTIONS
from tests.acceptance.clone import Clone
from tests.config.processes import is_gone

pytestmark = pytest.mark.acceptance


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_a_clean_clone_comes_to_three_executions_by_itself(clone: Clone) -> None:
    with clone.up() as said:
        processes = clone.processes()

        assert said.count("succeeded") == DEMO_EXECUTIONS
        assert set(processes) == {
            *("valkey", "postgres", "web", "worker", "worker-slow", "agents"),
            *("beat", "flower"),
        }

    assert [name for name, pid in processes.items() if not is_gone(pid)] == []


def test_without_workers_the_demo_does_not_claim_success(clone: Clone) -> None:
    clone.drop_from_procfile("worker", "worker-slow", "agents")

    with clone.up() as said:
        assert "events wait: the worker has not taken them" in said
        assert "succeeded" not in said
