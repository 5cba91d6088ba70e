from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from celery.signals import worker_init

from common.garbage import OBJECTS
from config.celery import tune_garbage_collection


@pytest.fixture
def _garbage() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.unit
@pytest.mark.usefixtures("_garbage")
def test_workers_collect_less_garbage() -> None:
    connected = [reference() for _, reference in worker_init.receivers]
    assert tune_garbage_collection in connected

    tune_garbage_collection()

    assert gc.get_threshold()[0] == OBJECTS
    assert gc.get_freeze_count() > 1000
