from __future__ import annotations

import os
import shutil

import pytest

PROGRAMS = ("bash", "curl", "openssl", "jq")


@pytest.fixture
def programs() -> None:
    """The programs of the commands; without them the test is skipped, except in CI."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"needs {', '.join(missing)}")
    assert missing == []
