from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from celery.signals import worker_init

import config.celery  # noqa: F401 - connects the signal handlers
from common.garbage import OBJECTS


@pytest.fixture
def _garbage() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.unit
@pytest.mark.usefixtures("_garbage")
def test_workers_collect_less_garbage() -> None:
    receivers = {r().__name__: r() for _, r in worker_init.receivers}

    receivers["tune_garbage_collection"]()

    assert gc.get_threshold()[0] == OBJECTS
    assert gc.get_freeze_count() > 1000
