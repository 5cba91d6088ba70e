"""Places where a secret could be readable, read as text: each with its contents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import redis

from local.environment import read_json

API = "/api/v1"
LISTS = (
    *("agents", "tasks", "events", "event-types", "deliveries", "triggers"),
    *("webhook-types", "executions", "keys", "audit-log"),
)


def tables(database_url: str) -> Iterator[tuple[str, str]]:
    """Yield each table of the database with all its rows."""
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (name,) in names:
            query = f"SELECT t::text FROM {name} t"  # noqa: S608 - our own tables
            rows = connection.execute(query).fetchall()
            yield f"table {name}", "\n".join(row for (row,) in rows)


def broker_keys(url: str) -> Iterator[tuple[str, str]]:
    """Yield each key of Redis with its value."""
    client = redis.Redis.from_url(url)
    for key in client.scan_iter("*"):
        readers: Mapping[bytes, Any] = {
            b"string": client.get,
            b"list": lambda k: client.lrange(k, 0, -1),
            b"set": client.smembers,
            b"zset": lambda k: client.zrange(k, 0, -1),
            b"hash": client.hgetall,
        }
        kind: Any = client.type(key)
        read = readers.get(kind, client.dump)
        yield f"key {key!r}", repr((key, read(key)))


def log_files(folder: Path) -> Iterator[tuple[str, str]]:
    for log in folder.glob("*.log*"):
        yield f"log {log.name}", log.read_text(errors="replace")


def api_answers(url: str, token: str) -> Iterator[tuple[str, str]]:
    """Yield each list of the API, and each row that it shows."""
    login = {"Authorization": f"Token {token}"}
    with httpx2.Client(base_url=url, headers=login, trust_env=False) as client:
        for name in LISTS:
            page = client.get(f"{API}/{name}", params={"page_size": 500})
            assert page.status_code == 200, name
            yield f"GET {name}", page.text
            shown = page.json()
            for row in shown.get("results", shown.get("executions")):
                path = f"{API}/{name}/{row.get('id')}"
                yield f"GET {path}", client.get(path).text


def admin_pages(url: str, name: str, password: str) -> Iterator[tuple[str, str]]:
    """Log in, and yield each list of the admin and the first row of each."""
    with httpx2.Client(base_url=url, trust_env=False, follow_redirects=True) as client:
        client.get("/admin/login/")
        form = {"username": name, "password": password}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        index = client.post("/admin/login/", data=form, headers={"Referer": url})
        pages = [index, client.get("/admin/internals/")]
        lists = {path for page in pages for path in _links(page.text, r"/\w+/\w+/")}
        assert len(lists) > 10
        for path in sorted(lists):
            page = client.get(path)
            yield f"page {path}", page.text
            for row in sorted(_links(page.text, r"/\w+/\w+/[^/\"]+/change/"))[:3]:
                yield f"page {row}", client.get(row).text


def flower_answers(credentials: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    login = credentials["flower_username"], credentials["flower_password"]
    base = credentials["flower_url"]
    with httpx2.Client(base_url=base, auth=login, trust_env=False) as client:
        for path in ("/api/tasks", "/api/workers", "/tasks", "/workers", "/broker"):
            yield f"Flower {path}", client.get(path).text


def everything(data: Path, credentials: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield every place of a running installation, by the data folder of `make up`."""
    stack = read_json(data / "stack.json")
    url, name = credentials["url"], credentials["admin_username"]
    yield from api_answers(url, credentials["api_token"])
    yield from admin_pages(url, name, credentials["admin_password"])
    yield from flower_answers(credentials)
    yield from tables(stack["database_url"])
    yield from broker_keys(stack["redis_url"])
    yield from log_files(data / "logs")


def forms_of(secret: str) -> set[str]:
    """Return the secret as it could stand in text: as it is, in JSON, and in hex."""
    return {secret, json.dumps(secret)[1:-1], secret.encode().hex()}


def _links(html: str, path: str) -> set[str]:
    return set(re.findall(rf'href="(/admin{path})[?"]', html))
