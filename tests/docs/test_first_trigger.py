from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from access.tokens import create_token
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.docs.pages import DOCS, blocks

DEADLINE_SECONDS = 60
PAGE = "first-trigger.md"


@pytest.mark.usefixtures("programs", "transactional_db")
def test_following_the_page_creates_a_task(
    live_server: LiveServer, admin: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = live_server.url
    token = create_token(user=admin).text
    script = "\n".join(text for page, text in blocks("sh") if page == PAGE)

    output = run_beside_a_worker(script, url=live_server.url, token=token)

    execution = TriggerExecution.objects.select_related("task").get()
    assert execution.task is not None
    assert execution.task.parameters["order"] == "A-17"
    assert output.splitlines()[:2] == ["duplicate", "success"]
    assert '"amount": 1250' in output


def run_beside_a_worker(script: str, *, url: str, token: str) -> str:
    """Run the commands of the page while the inbox is drained; return their output."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with subprocess.Popen(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - whichever there is
        env={**os.environ, "url": url, "token": token},
        cwd=DOCS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        while shell.poll() is None and time.monotonic() < deadline:
            drain()
            with suppress(subprocess.TimeoutExpired):
                shell.wait(timeout=0.1)
        shell.kill()
        assert shell.stdout is not None
        return shell.stdout.read()
