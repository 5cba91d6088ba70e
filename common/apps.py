from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class CommonConfig(AppConfig):
    name = "common"

    def ready(self) -> None:
        from common import checks  # noqa: F401 - registers them
        from common.pooling import inspect_connection

        connection_created.connect(inspect_connection)
