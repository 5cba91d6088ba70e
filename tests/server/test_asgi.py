from __future__ import annotations

import gc
import importlib

from config.server.adapter import BufferedApplication


def test_what_a_web_process_keeps_is_not_collected_again() -> None:
    before = gc.get_freeze_count()
    try:
        module = importlib.reload(importlib.import_module("config.asgi"))

        assert isinstance(module.application, BufferedApplication)
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
