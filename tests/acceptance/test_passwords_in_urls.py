"""No program shows the passwords of the URLs in its settings; Flower has a login."""

from __future__ import annotations

import base64
import http.client
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from local.environment import ROOT
from tests.acceptance.stack import Stack, free_port
from tests.acceptance.waiting import wait_for

pytestmark = pytest.mark.acceptance

CANARY = "canary-8Xq2"
FLOWER_PASSWORD = "flower-5Zt7"  # noqa: S105 - of a server that ends with the test
WORKER = f"worker@{socket.gethostname()}"
INSPECT = """
from config.celery import app
asked = app.control.inspect(timeout=1, limit=1)
for ask in (asked.conf, asked.stats, asked.report):
    while (answer := ask()) is None:
        pass  # the worker connects again after another test
    print(answer)
"""
PAGES = ("/workers", f"/worker/{WORKER}", "/broker", "/tasks", "/api/workers?refresh=1")


class Flower:
    def __init__(self, port: int) -> None:
        self._port = port

    def visit(self, path: str, password: str = FLOWER_PASSWORD) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        login = base64.b64encode(f"admin:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"} if password else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def knows_the_worker(self) -> bool:
        """Return whether the worker's page shows Celery's settings."""
        status, text = self.visit(f"/worker/{WORKER}")
        return status == 200 and "broker_url" in text


@pytest.fixture(scope="module")
def flower(stack: Stack) -> Flower:
    """Start worker, beat and Flower with passwords in the URLs of all servers."""
    port = free_port()
    with stack.broker_client() as broker:
        broker.config_set("bind", "127.0.0.1")
        broker.config_set("port", port)
        broker.config_set("requirepass", CANARY)
    database = urlsplit(stack.environment["DATABASE_URL"])
    user, _, host = database.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}:{CANARY}@{host}"
    stack.environment |= {
        "DATABASE_URL": database._replace(netloc=netloc).geturl(),
        "REDIS_URL": f"redis://:{CANARY}@127.0.0.1:{port}/0",
        "SECRET_KEY": CANARY,
        "FLOWER_PORT": str(free_port()),
        "FLOWER_BASIC_AUTH": f"admin:{FLOWER_PASSWORD}",
    }
    stack.start("worker", "beat", "flower")
    running = Flower(int(stack.environment["FLOWER_PORT"]))
    wait_for(running.knows_the_worker, timeout_seconds=60)
    return running


@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_flower_shows_a_password(flower: Flower, path: str) -> None:
    status, text = flower.visit(path)

    assert status == 200
    assert CANARY not in text
    assert FLOWER_PASSWORD not in text


@pytest.mark.parametrize("path", ["/", *PAGES])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_flower_requires_its_login(flower: Flower, path: str, password: str) -> None:
    assert flower.visit(path, password)[0] == 401


def test_no_answer_of_a_worker_shows_a_password(stack: Stack, flower: Flower) -> None:
    answer = subprocess.run(  # noqa: S603 - this Python, our script
        [sys.executable, "-c", INSPECT],
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )

    assert answer.stdout.count("127.0.0.1") >= 3
    assert CANARY not in answer.stdout


def test_no_command_line_shows_a_password(flower: Flower) -> None:
    shown = b""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            shown += file.read_bytes()

    assert b"config/flower.py" in shown
    assert CANARY.encode() not in shown
    assert FLOWER_PASSWORD.encode() not in shown


def test_no_log_shows_a_password_even_if_the_broker_refuses_it(
    stack: Stack, flower: Flower
) -> None:
    [worker] = stack.logs.glob("worker*.log")
    url = stack.environment["REDIS_URL"]
    connected = worker.read_text().count("Connected to redis")
    with redis.Redis.from_url(url, single_connection_client=True) as broker:
        broker.config_set("requirepass", "another")
        broker.execute_command("CLIENT", "KILL", "TYPE", "normal")
        wait_for(lambda: "nnot connect to" in worker.read_text(), timeout_seconds=60)
        broker.config_set("requirepass", CANARY)
    wait_for(
        lambda: worker.read_text().count("Connected to redis") > connected,
        timeout_seconds=60,
    )

    for log in stack.logs.glob("*.log"):
        assert CANARY not in log.read_text(errors="replace"), log.name
