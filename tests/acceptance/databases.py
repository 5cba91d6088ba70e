"""Databases for real processes: copies of the one that was migrated once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from local.environment import ROOT, read_json
from tests.servers.pgbouncer import pgbouncer

_TEMPLATE = "acceptance_template"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A migrated database with an administrator, whose API token this is."""

    api_token: str


def program_environment(**values: str) -> dict[str, str]:
    """Return a program's environment: with the product's settings, not the tests'."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **settings, "PATH": programs, **values}


@cache
def migrated_template() -> Template:
    """Prepare a database as `make up` does, with an administrator, once a process."""
    migrated = os.environ["DATABASE_URL"].rpartition("/")[2]
    _copy_database(migrated, _TEMPLATE)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "local.prepare"],
            cwd=ROOT,
            env=program_environment(
                DATABASE_URL=_url_of(_TEMPLATE), TICKHOOK_DATA=folder
            ),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        credentials = read_json(Path(folder) / "credentials.json")
    return Template(api_token=credentials["api_token"])


@contextmanager
def copied_database() -> Iterator[str]:
    """Copy the template; yield the copy's URL, and drop the copy at the end."""
    name = f"acceptance_{next(_numbers)}"
    _copy_database(_TEMPLATE, name)
    try:
        yield _url_of(name)
    finally:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        _administer(drop.format(sql.Identifier(name)))


@contextmanager
def reached_by_programs(database_url: str, folder: Path) -> Iterator[str]:
    """Yield the URL for the programs; with TEST_ENGINE=pgbouncer, that of a pooler.

    The pool has fewer connections than the programs open.
    """
    if os.environ.get("TEST_ENGINE") != "pgbouncer":
        yield database_url
        return
    pool = pgbouncer(folder / "pgbouncer", size=5, database_url=database_url)
    with pool as url:
        yield f"{url}?prepare_threshold=none"


def _copy_database(template: str, name: str) -> None:
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _administer(create.format(sql.Identifier(name), sql.Identifier(template)))


def _administer(statement: sql.Composed) -> None:
    with psycopg.connect(_url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement)


def _url_of(name: str) -> str:
    """Return the URL of another database on the tests' server."""
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
