from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from config.env import broker_url, retention_days

ROOT = Path(__file__).parents[2]
READ = re.compile(
    r"""(?:env\.\w+|required|rate_limit|positive|networks|retention_days|"""
    r"""database_url)\(\s*["']([A-Z_]+)["']"""
)


def test_env_example_names_every_variable_that_is_read() -> None:
    sources = [ROOT / "config" / f"{name}.py" for name in ("settings", "env")]
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
        ("TICKHOOK_ALLOWED_NETWORKS", "10.0.0.5/8", "10.0.0.5/8 has host bits set"),
        ("TICKHOOK_ALLOWED_NETWORKS", "intranet", "TICKHOOK_ALLOWED_NETWORKS: 'intra"),
        ("HISTORY_RETENTION_DAYS", "-1", "HISTORY_RETENTION_DAYS must be from 0"),
        ("TICKHOOK_GLOBAL_LIMIT", "many", "TICKHOOK_GLOBAL_LIMIT must be a whole"),
        ("TICKHOOK_FORGERY_LIMIT", "-1", "TICKHOOK_FORGERY_LIMIT must be from 0"),
        ("TICKHOOK_BODY_SECONDS", "0", "TICKHOOK_BODY_SECONDS must be at least 1"),
        ("TICKHOOK_WEB_THREADS", "many", '"TICKHOOK_WEB_THREADS" invalid'),
        ("TICKHOOK_WORKER_CONCURRENCY", "0", "TICKHOOK_WORKER_CONCURRENCY must be at"),
        ("TICKHOOK_SLOW_CONCURRENCY", "-1", "TICKHOOK_SLOW_CONCURRENCY must be at"),
        ("TICKHOOK_AGENT_CONCURRENCY", "x", '"TICKHOOK_AGENT_CONCURRENCY" invalid'),
        ("TICKHOOK_CELERY_RESULTS", "x", '"TICKHOOK_CELERY_RESULTS" invalid'),
        ("DEBUG", "perhaps", 'Environment variable "DEBUG" invalid'),
    ],
)
def test_the_error_for_a_bad_value_names_the_variable(
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


def test_history_is_kept_for_90_days_unless_the_environment_says_otherwise() -> None:
    code = (
        "from config.settings import *; print(HISTORY_RETENTION_DAYS, "
        "EVENT_BODY_RETENTION_DAYS, TRACE_RETENTION_DAYS, REJECTION_RETENTION_DAYS, "
        "TICKHOOK_KEY_RETENTION_DAYS, TICKHOOK_ENDPOINT_BYTES_PER_HOUR)"
    )

    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)  # noqa: S603 - our own code

    assert printed == "90 None None 90 30 1000000000\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("soon", "DAYS_KEPT must be a whole number of days; 0 keeps all"),
        ("1.5", "DAYS_KEPT must be a whole number of days; 0 keeps all"),
        ("-1", "DAYS_KEPT must be from 0 (keep) to 36600 days"),
        ("36601", "DAYS_KEPT must be from 0 (keep) to 36600 days"),
        ("91", "DAYS_KEPT (91) must not exceed HISTORY_RETENTION_DAYS (90)"),
    ],
)
def test_the_error_for_a_bad_number_of_days_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("DAYS_KEPT", value)

    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(message)}"):
        retention_days("DAYS_KEPT", within=90)


@pytest.mark.parametrize(
    ("value", "days"), [("", 30), ("0", None), ("1", 1), ("36600", 36600)]
)
def test_zero_days_keep_all_rows(
    monkeypatch: pytest.MonkeyPatch, value: str, days: int | None
) -> None:
    monkeypatch.setenv("DAYS_KEPT", value)

    assert retention_days("DAYS_KEPT", default=30) == days


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("unix:///s/v.sock?db=3", "redis+socket:///s/v.sock?virtual_host=3"),
        ("unix:///s/v.sock", "redis+socket:///s/v.sock"),
    ],
)
def test_the_broker_is_redis_by_default(
    monkeypatch: pytest.MonkeyPatch, redis: str, broker: str
) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)

    assert broker_url(redis) == broker


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    said = StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=said)

    assert said.getvalue() == "No changes detected\n"


def check_deployment(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "a-long-text-of-many-different-characters-0123456789-xyz",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_deployment_passes_djangos_checks() -> None:
    answer = check_deployment(
        PUBLIC_URL="https://hooks.example.test", TRUSTED_PROXIES="10.0.0.0/8"
    )

    assert answer.returncode == 0, answer.stderr
    assert "WARNINGS" not in answer.stdout + answer.stderr


def test_a_deployment_without_https_has_one_warning() -> None:
    answer = check_deployment(PUBLIC_URL="http://hooks.example.test")

    assert re.findall(r"\(\w+\.[EW]\d+\)", answer.stderr) == ["(common.W001)"]
