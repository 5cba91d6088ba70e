from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.module_loading import autodiscover_modules


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        from access.audit.view import create_view, drop_view

        # The rules that each app registers, and what it holds of a subject.
        autodiscover_modules("access", "erasure")
        pre_migrate.connect(drop_view, sender=self)
        post_migrate.connect(create_view, sender=self)
