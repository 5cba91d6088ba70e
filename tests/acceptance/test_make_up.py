"""`make up` in a clean clone, up to the first executions of the demo."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from local.embedded.process import kill_group, spawn
from local.environment import read_json
from local.report import DEMO_EXECUTIONS
from tests.acceptance import canaries
from tests.acceptance.clone import Clone, new_user_environment
from tests.acceptance.waiting import wait_for
from tests.config.processes import is_gone
from tests.docs.conftest import programs as programs
from tests.docs.pages import blocks, only_block

pytestmark = pytest.mark.acceptance


def ask_flower(credentials: dict[str, str]) -> list[int]:
    """Return the statuses of a page of Flower without its login and with it."""
    name, password = credentials["flower_username"], credentials["flower_password"]
    url = f"{credentials['flower_url']}/workers"
    logins = (None, (name, password))
    with httpx2.Client(trust_env=False) as client:
        return [client.get(url, auth=login).status_code for login in logins]


def flower_task(credentials: dict[str, str], task_id: str) -> dict[str, Any]:
    """Return what Flower shows of a task; nothing while it does not know it."""
    login = credentials["flower_username"], credentials["flower_password"]
    url = f"{credentials['flower_url']}/api/task/info/{task_id}"
    with httpx2.Client(trust_env=False) as client:
        answer = client.get(url, auth=login)
    return dict(answer.json()) if answer.status_code == 200 else {}


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Clone, str]]:
    """A clean clone, but for the line in `.env` that the page on agents asks for."""
    clone = Clone(tmp_path_factory.mktemp("running") / "clone")
    run_block(only_block("sh allow"), clone)
    with clone.up() as output:
        processes = clone.processes()
        yield clone, output
    assert [name for name, pid in processes.items() if not is_gone(pid)] == []


def run_block(script: str, clone: Clone) -> str:
    """Run commands of a page in the clone's folder; return their output."""
    answer = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - whichever there is
        cwd=clone.folder,
        env=new_user_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def celery_result(clone: Clone, task_id: str) -> tuple[str, str] | None:
    """Return state and result of a task in Celery's own table, once it has the row."""
    url = read_json(clone.folder / ".data" / "stack.json")["database_url"]
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT status, result FROM django_celery_results_taskresult "
            "WHERE task_id = %s",
            [task_id],
        ).fetchone()


def test_a_clean_clone_runs_the_three_executions_of_the_demo(
    running: tuple[Clone, str],
) -> None:
    clone, output = running
    credentials = clone.credentials()

    assert credentials["flower_password"] in output
    assert ask_flower(credentials) == [401, 200]
    assert output.count("succeeded") == DEMO_EXECUTIONS
    assert set(clone.processes()) == {
        *("valkey", "postgres", "web", "worker", "worker-slow", "agents"),
        *("beat", "flower"),
    }


@pytest.mark.usefixtures("programs")
def test_the_page_on_agents_can_be_followed(
    running: tuple[Clone, str], tmp_path: Path
) -> None:
    clone, _ = running
    folder = str(tmp_path)
    run_block(f"cd {folder}\n{only_block('sh folder')}", clone)
    (tmp_path / "shop" / "tasks.py").write_text(only_block("python agent"))
    (tmp_path / "agent.json").write_text(only_block("json agent"))
    worker = spawn(
        ["bash", "-c", only_block("sh worker").replace("/srv/shop", folder)],
        folder=clone.folder,
        log=tmp_path / "worker.log",
        environment=new_user_environment(),
        death_signal=signal.SIGTERM,
    )
    create = "".join(text for _, text in blocks("sh create"))
    read = only_block("sh read").strip()
    script = f"{create}\necho\nuntil {read} | grep succeeded; do sleep 0.2; done"

    try:
        said = run_block(script.replace("/srv/shop", folder), clone)
    finally:
        kill_group(worker)

    [task] = json.loads(said.splitlines()[-1])["results"]
    assert task["result"] == {
        "order": 17,
        "key": task["execution_id"],
        "attempt": 1,
    }
    wait_for(lambda: celery_result(clone, task["id"]), timeout_seconds=30)
    state, result = celery_result(clone, task["id"]) or ("", "")
    assert (state, json.loads(result)) == ("SUCCESS", task["id"])
    credentials = clone.credentials()
    wait_for(
        lambda: flower_task(credentials, task["id"]).get("state") == "SUCCESS",
        timeout_seconds=30,
    )
    shown = flower_task(credentials, task["id"])
    assert shown["name"] == "shop.tasks.thank"
    assert shown["args"] == repr((task["id"], "Thanks", task["title"]))


def test_no_secret_is_readable_anywhere(running: tuple[Clone, str]) -> None:
    clone, _ = running
    credentials = clone.credentials()
    secrets = canaries.use_secrets(credentials)

    places = list(canaries.everything(clone.folder / ".data", credentials))

    assert len({place.split()[0] for place, _ in places}) == 6
    found = {
        (name, place)
        for name, secret in secrets.items()
        for place, text in places
        if any(form in text for form in canaries.forms_of(secret))
    }
    assert found == set()


def test_celerys_commands_find_the_programs_of_make_up(
    running: tuple[Clone, str],
) -> None:
    clone, _ = running

    said = run_block("exec .venv/bin/celery -A config inspect ping", clone)

    assert {name for name in ("worker", "slow", "agents") if f"{name}@" in said} == {
        *("worker", "slow", "agents"),
    }


def test_without_workers_the_demo_reports_waiting_events(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.drop_from_procfile("worker", "worker-slow", "agents")

    with clone.up() as output:
        assert "events wait: the worker has not processed them" in output
        assert "succeeded" not in output
