"""Uses secrets in all ways, and reads all places where one could be readable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import redis

from local.environment import read_json
from tests.acceptance.waiting import wait_for
from tests.senders.requests import hex_hmac

API = "/api/v1"
LISTS = (
    *("agents", "tasks", "events", "event-types", "deliveries", "triggers"),
    *("webhook-types", "executions", "keys", "audit-log"),
)


def use_secrets(credentials: Mapping[str, str]) -> dict[str, str]:
    """Use passwords, tokens, keys and signatures; return them by what they are."""
    names = ("api_token", "admin_password", "flower_password")
    secrets = {name: credentials[name] for name in names}
    for name in ("header", "query", "given"):
        secrets[name] = f"canary-{name}-{uuid4().hex}"
    login = {"Authorization": f"Token {credentials['api_token']}"}
    with httpx2.Client(
        base_url=credentials["url"], headers=login, trust_env=False
    ) as client:
        hook = _make_hook(client, secret=secrets["given"])
        url = f"{API}/triggers/{hook['id']}"
        for secret in (secrets["given"], "a forged one"):
            _deliver(client, hook["webhook_url"], secret, secrets)
        rotated = client.post(f"{url}/rotate-secret", json={})
        secrets["rotated"] = rotated.json()["webhook_secret"]
        key = {"name": "canary", "scopes": ["triggers:read"]}
        secrets["key"] = client.post(f"{API}/keys", json=key).json()["key"]
        bearer = {"Authorization": f"Bearer {secrets['key']}"}
        assert client.get(url, headers=bearer).status_code == 200
        ran = f"{url}/executions"
        wait_for(lambda: "succeeded" in client.get(ran).text, timeout_seconds=30)
    return secrets


def _make_hook(client: httpx2.Client, *, secret: str) -> dict[str, Any]:
    agents = client.get(f"{API}/agents").json()["results"]
    made = client.post(
        f"{API}/triggers",
        json={
            "name": "canaries",
            "agent_id": next(a["id"] for a in agents if a["name"] != "Thanks"),
            "trigger_type": "webhook",
            "webhook_config": {"secret": secret},
        },
    )
    assert made.status_code == 201, made.text
    return dict(made.json())


def _deliver(
    client: httpx2.Client, url: str, secret: str, secrets: Mapping[str, str]
) -> None:
    body = b'{"a": 1}'
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Signature": hex_hmac(body, secret),
        "Authorization": f"Bearer {secrets['header']}",
        "Cookie": f"session={secrets['header']}",
    }
    client.post(f"{url}?access_token={secrets['query']}", content=body, headers=headers)


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
