from __future__ import annotations

from django.apps import AppConfig

from common.registry import import_modules


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        import_modules("agents.backends")
