"""Runs the commands of the page against a server and compares their output."""

from __future__ import annotations

import os
import subprocess
from json import JSONDecoder
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from access.tokens import create_token
from tests.docs.pages import DOCS, blocks

PAGE = "trying-a-schedule.md"
DEADLINE_SECONDS = 60


@pytest.mark.usefixtures("programs", "transactional_db")
def test_the_page_shows_what_its_commands_print(
    live_server: LiveServer, admin: User
) -> None:
    token = create_token(user=admin).text
    script = "\n".join(text for page, text in blocks("sh") if page == PAGE)
    shown = "\n".join(text for page, text in blocks("json answers") if page == PAGE)

    output = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - whichever there is
        env={**os.environ, "url": live_server.url, "token": token},
        cwd=DOCS.parent,
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    ).stdout

    assert read_values(output) == read_values(shown)


def read_values(text: str) -> list[Any]:
    """Return the consecutive JSON values of a text."""
    values, rest = [], text.lstrip()
    while rest:
        value, end = JSONDecoder().raw_decode(rest)
        values.append(value)
        rest = rest[end:].lstrip()
    return values
