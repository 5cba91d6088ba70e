from __future__ import annotations

import subprocess
import sys

import pytest

from local.environment import ROOT
from tests.acceptance.databases import program_environment

COUNT_FROZEN = """
import gc
from config.asgi import application
print(type(application).__name__, gc.get_freeze_count())
"""


@pytest.mark.processes
def test_objects_created_at_startup_are_excluded_from_garbage_collection() -> None:
    answer = subprocess.run(  # noqa: S603 - this Python, our script
        [sys.executable, "-c", COUNT_FROZEN],
        cwd=ROOT,
        env=program_environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )

    name, frozen = answer.stdout.split()
    assert name == "BufferedApplication"
    assert int(frozen) > 0
