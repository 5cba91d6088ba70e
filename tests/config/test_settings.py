from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from config.env import broker_url

ROOT = Path(__file__).parents[2]
READ = re.compile(
    r"""(?:env\.\w+|required|rate_limit|positive|database_url)\(\s*["']([A-Z_]+)["']"""
)


def test_env_example_names_every_variable_that_is_read() -> None:
    sources = [
        ROOT / "config" / f"{name}.py" for name in ("settings", "env", "databases")
    ]
    read = {name for path in sources for name in READ.findall(path.read_text())}
    example = (ROOT / ".env.example").read_text()

    named = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))

    assert read <= named
    assert {"SECRET_KEY", "CLOCK_DATABASE_URL"} <= read


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is not set"),
        ("FIELD_ENCRYPTION_KEYS", "short", "FIELD_ENCRYPTION_KEYS: key 1 is not"),
        ("REDIS_URL", "http://x", "REDIS_URL must start with"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "TRUSTED_PROXIES: 'proxy' is neither"),
        ("HISTORY_RETENTION_DAYS", "0", "HISTORY_RETENTION_DAYS must be from 1 to"),
        ("HISTORY_RETENTION_DAYS", "soon", '"HISTORY_RETENTION_DAYS" invalid'),
        ("TICKHOOK_GLOBAL_LIMIT", "many", "TICKHOOK_GLOBAL_LIMIT must be a whole"),
        ("TICKHOOK_FORGERY_LIMIT", "-1", "TICKHOOK_FORGERY_LIMIT must be from 0"),
        ("TICKHOOK_BODY_SECONDS", "0", "TICKHOOK_BODY_SECONDS must be at least 1"),
        ("TICKHOOK_WEB_THREADS", "many", '"TICKHOOK_WEB_THREADS" invalid'),
        ("DEBUG", "perhaps", 'Environment variable "DEBUG" invalid'),
    ],
)
def test_a_bad_value_is_refused_by_name(
    variable: str, value: str, message: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=ROOT,
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode != 0
    assert message in answer.stderr


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("unix:///s/v.sock?db=3", "redis+socket:///s/v.sock?virtual_host=3"),
        ("unix:///s/v.sock", "redis+socket:///s/v.sock"),
    ],
)
def test_the_broker_is_redis_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, redis: str, broker: str
) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)

    assert broker_url(redis) == broker


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    said = StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=said)

    assert said.getvalue() == "No changes detected\n"


def test_a_deployment_passes_djangos_checks() -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PUBLIC_URL": "https://hooks.example.test",
        "SECRET_KEY": "a-long-text-of-many-different-characters-0123456789-xyz",
    }

    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
