from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        autodiscover_modules("access")  # the rules that each app registers
