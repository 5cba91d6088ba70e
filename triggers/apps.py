from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"

    def ready(self) -> None:
        import_module("triggers.services.owners")  # registers triggers as owned rows
