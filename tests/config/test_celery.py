from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django_celery_beat.models import PeriodicTask

from config.celery import app, shorten_broker_timeouts, transport_options
from local.environment import ROOT


def test_celery_has_only_its_own_settings() -> None:
    names = set(app.conf.table())

    assert {"broker_url", "task_routes", "task_acks_late"} <= names
    assert not {name for name in names if name.isupper()} - {"CELERY_DB_REUSE_MAX"}
    assert app.conf.task_default_queue == "pipeline"


def test_no_report_of_celery_shows_a_password() -> None:
    url = "redis://:canary@127.0.0.1:1/0"
    script = (
        "import json; from config.celery import app; "
        "print(app.bugreport(), json.dumps(app.conf.table(with_defaults=True),"
        " default=str), app.conf.broker_url)"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "postgresql://u:canary@127.0.0.1/x",
        **dict.fromkeys(("REDIS_URL", "CELERY_BROKER_URL"), url),
        **dict.fromkeys(("SECRET_KEY", "FLOWER_BASIC_AUTH"), "u:canary"),
    }

    answer = subprocess.run(  # noqa: S603 - this Python, our script
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.count("canary") == 1
    assert answer.stdout.endswith(f"{url}\n")
    assert "canary" not in answer.stderr
    assert json.dumps("redis://:********@127.0.0.1:1/0") in answer.stdout


def test_a_worker_waits_longer_than_its_request_for_messages_blocks() -> None:
    options = transport_options("redis://127.0.0.1/0")

    assert options["socket_timeout"] == options["health_check_interval"] == 5
    assert options["socket_connect_timeout"] == 2
    assert "confirm_publish" not in options


def test_rabbitmq_confirms_and_has_none_of_the_options_of_redis() -> None:
    options = transport_options("amqps://host//")

    assert options["confirm_publish"]
    assert "visibility_timeout" not in options


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "amqp://host//"])
def test_a_web_process_gives_up_after_a_second(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    usual = transport_options(url)
    monkeypatch.setitem(app.conf, "broker_transport_options", usual)

    shorten_broker_timeouts()

    shortened = app.conf.broker_transport_options
    limits = {name for name in usual if name.endswith("_timeout")}
    limits.discard("visibility_timeout")
    assert limits
    assert {shortened[name] for name in limits} == {1}
    assert {**shortened, **{name: usual[name] for name in limits}} == usual


def run_celery(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Celery in an environment without a SECRET_KEY."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(  # noqa: S603 - no shell
        [sys.executable, "-m", "celery", "-A", "config", *words],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("pid", [None, 2**22 + 1])
def test_celery_says_in_a_sentence_that_no_stack_runs(
    tmp_path: Path, pid: int | None
) -> None:
    """Also if a killed stack has left its file behind."""
    if pid is not None:
        stack = {"database_url": "x", "redis_url": "x", "processes": {"web": pid}}
        (tmp_path / "stack.json").write_text(json.dumps(stack))

    answer = run_celery("inspect", "ping", TICKHOOK_DATA=str(tmp_path))

    assert answer.returncode == 1
    assert answer.stderr == (
        "Error: SECRET_KEY is not set, and no `make up` runs here whose settings could "
        "be used. Start `make up`, or set the variables that .env.example describes.\n"
    )


def test_celery_says_in_a_sentence_which_setting_is_bad() -> None:
    variables = {"SECRET_KEY": "x", "REDIS_URL": "http://x"}

    answer = run_celery("worker", **variables)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: REDIS_URL must start with redis://")
    assert answer.stderr.count("\n") == 1


def test_celery_sends_a_message_with_the_settings_of_a_running_stack(
    tmp_path: Path,
) -> None:
    queue = f"called-{tmp_path.name}"
    servers = {
        "database_url": os.environ["DATABASE_URL"],
        "redis_url": settings.REDIS_URL,
    }
    running = {**servers, "processes": {"web": os.getpid()}}
    (tmp_path / "stack.json").write_text(json.dumps(running))

    answer = run_celery(
        *("call", "executions.tasks.sweep", "--queue", queue),
        TICKHOOK_DATA=str(tmp_path),
    )

    assert answer.stderr == ""
    with closing(redis.Redis.from_url(settings.REDIS_URL)) as broker:
        [message] = broker.lrange(queue, 0, -1)
        broker.delete(queue)
    assert json.loads(message)["headers"]["id"] == answer.stdout.strip()


@pytest.mark.django_db
def test_tasks_that_beat_lets_expire_send_no_events() -> None:
    app.loader.import_default_modules()
    rows = PeriodicTask.objects.filter(expire_seconds__isnull=False)

    names = set(rows.values_list("task", flat=True))

    assert len(names) == 4
    assert {name: app.tasks[name].send_events for name in names} == dict.fromkeys(
        names, False
    )


def test_workers_show_our_own_lines_at_the_level_info() -> None:
    for name in ("agents", "executions", "triggers", "webhooks"):
        assert logging.getLogger(name).level == logging.INFO
