from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig

from common.registry import import_modules


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        import_modules("agents.backends")
        import_module("agents.services.users")  # registers agents as owned rows
