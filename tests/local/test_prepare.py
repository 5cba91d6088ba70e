from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from local.environment import ROOT
from tests.outages import closed_database

pytestmark = pytest.mark.django_db(transaction=True)


def prepare(data: Path) -> str:
    """Run the step, which fails, on the tests' database; return its output."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    url = f"{server}/{connection.settings_dict['NAME']}"
    outcome = subprocess.run(
        [sys.executable, "-m", "local.prepare"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": url,
            "TICKHOOK_DATA": str(data),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    return outcome.stderr


def test_a_database_that_rejects_connections_is_a_one_line_error(
    tmp_path: Path,
) -> None:
    with closed_database():
        said = prepare(tmp_path)

    assert "Traceback" not in said
    assert "The database cannot be used now: " in said
    assert "Check DATABASE_URL" in said


def test_a_file_that_cannot_be_written_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "credentials.json.partial").mkdir()

    said = prepare(tmp_path)

    assert "Traceback" not in said
    assert str(tmp_path / "credentials.json") in said
