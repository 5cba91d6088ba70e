from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from access.tokens import create_token
from events.models import Event
from tests.docs.pages import blocks

PAGE = "uploading-a-webhook-type.md"
PRINTED = """\
success
"paperboat.folded"
"d-1"
[{"pointer":"/body/order","detail":"5 is not of type 'object'"}]
accepted
2
3
webhook_type_in_use
"""


@pytest.mark.usefixtures("programs", "transactional_db")
def test_the_type_of_the_page_works(
    live_server: LiveServer, admin: User, settings: Settings, tmp_path: Path
) -> None:
    settings.PUBLIC_URL = live_server.url
    token = create_token(user=admin).text
    script = "\n".join(text for page, text in blocks("sh") if page == PAGE)

    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - whichever there is
        env={**os.environ, "url": live_server.url, "token": token},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == PRINTED
    assert Event.objects.get().type == "paperboat.folded"
