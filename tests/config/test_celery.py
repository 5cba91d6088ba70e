from __future__ import annotations

import json
import os
import subprocess
import sys

from config.celery import app
from local.environment import ROOT


def test_celery_has_its_own_settings_and_no_others() -> None:
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
