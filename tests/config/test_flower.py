from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import flower_logins
from local.environment import ROOT, Options
from local.report import where_to_look


@pytest.mark.parametrize(
    ("value", "logins"),
    [
        ("ana:pass", ["ana:pass"]),
        ("ana:pa:ss#1", ["ana:pa:ss#1"]),
        ("ana:one,bo:two", ["ana:one", "bo:two"]),
    ],
)
def test_logins_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, logins: list[str]
) -> None:
    monkeypatch.setenv("FLOWER_BASIC_AUTH", value)

    assert flower_logins() == logins


@pytest.mark.parametrize(
    "value",
    ["ana", "ana:", ":pass", "ana:pass,word", "ana:p\u00e4ss", "ana:pa ss", ","],
)
def test_the_error_for_a_bad_login_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FLOWER_BASIC_AUTH", value)

    with pytest.raises(ImproperlyConfigured) as refusal:
        flower_logins()

    assert str(refusal.value) == (
        "FLOWER_BASIC_AUTH must be user:password in printable ASCII, without a comma "
        "in the password; several logins are separated by commas"
    )


def test_pages_without_a_login_need_a_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)
    with pytest.raises(ImproperlyConfigured, match="set FLOWER_UNAUTHENTICATED=true"):
        flower_logins()

    monkeypatch.setenv("FLOWER_UNAUTHENTICATED", "true")

    assert flower_logins() == []


def test_flower_does_not_start_without_a_login() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "config", "flower",
         "--conf=config/flower.py", "--address=127.0.0.1", "--port=0"],
        cwd=ROOT,
        env={**os.environ, "FLOWER_BASIC_AUTH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip

    assert answer.returncode != 0
    assert "FLOWER_BASIC_AUTH is not set" in answer.stderr


def test_the_report_shows_the_login_unless_the_operator_chose_it(
    tmp_path: Path,
) -> None:
    options = Options(
        host="127.0.0.1",
        port=1,
        flower_port=2,
        data=tmp_path,
        demo=None,
        database_url=None,
        redis_url=None,
    )
    names = ("admin_username", "admin_password", "api_token", "flower_username")
    credentials = {name: name for name in names}

    made = where_to_look(options, credentials | {"flower_password": "p"})
    chosen = where_to_look(options, {**credentials, "flower_password": None})

    assert "http://127.0.0.1:2   flower_username / p\n" in made
    assert "http://127.0.0.1:2   flower_username / (the one you chose)\n" in chosen
