from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        # The rules that each app registers, and what it holds of a subject.
        autodiscover_modules("access", "erasure")
