from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

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
