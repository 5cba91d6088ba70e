"""The Celery app, its signal handlers, and how long programs wait for the broker."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import click
import django
from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from environs import EnvError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# More than the second for which a worker's request for messages blocks. A longer limit
# adds up after an outage, because each pooled connection has to fail by itself.
_SOCKET_SECONDS = 5
_CONNECT_SECONDS = 2
_WEB_SECONDS = 1

_REDIS = {
    "visibility_timeout": 7200,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": _SOCKET_SECONDS,
    "socket_connect_timeout": _CONNECT_SECONDS,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "queue_order_strategy": "priority",
}
_RABBITMQ = {
    "confirm_publish": True,
    "connect_timeout": _CONNECT_SECONDS,
    "read_timeout": _SOCKET_SECONDS,
    "write_timeout": _SOCKET_SECONDS,
}
_PREFIX = "CELERY_"
# Of a package that imports this one.
_USE_RUNNING_STACK = "local.environment.use_running_stack"
_NOTHING_RUNS = (
    "SECRET_KEY is not set, and no `make up` runs here whose settings could be used. "
    "Start `make up`, or set the variables that .env.example describes."
)


def transport_options(url: str) -> dict[str, Any]:
    """Return Celery's transport options for the broker that the URL names."""
    is_rabbitmq = urlsplit(url).scheme in {"amqp", "amqps", "pyamqp"}
    return dict(_RABBITMQ if is_rabbitmq else _REDIS)


def _celery_settings() -> dict[str, Any]:
    """Return the CELERY_* settings under Celery's own names.

    Celery's reports and Flower show every setting that Celery has, but mask the URLs of
    Celery's own settings only: with all of Django's they would show passwords.
    """
    from django.conf import settings

    load_settings()
    return {
        name.removeprefix(_PREFIX).lower(): getattr(settings, name)
        for name in dir(settings)
        if name.startswith(_PREFIX)
    }


def load_settings() -> None:
    """Load Django's settings in a program that Celery's command starts.

    They are those of a running `make up`, as for `manage.py`. If a setting is bad, the
    program ends with one sentence.
    """
    from django.conf import settings

    if settings.configured:
        return
    import_string(_USE_RUNNING_STACK)()
    if not os.environ.get("SECRET_KEY"):
        raise click.ClickException(_NOTHING_RUNS)
    try:
        getattr(settings, "SECRET_KEY")  # noqa: B009 - loads them all
    except (ImproperlyConfigured, EnvError) as error:
        raise click.ClickException(str(error)) from error


class TickhookCelery(Celery):
    """Loads the result backend, which has models, in each of Celery's commands."""

    def _get_backend(self) -> Any:
        load_settings()
        if not apps.ready:
            django.setup()
        return super()._get_backend()  # type: ignore[misc]  # not in the stubs


app = TickhookCelery("tickhook")
# A function, because Django's settings import this package before they can be read.
app.add_defaults(_celery_settings)
app.autodiscover_tasks()
app.autodiscover_tasks(["webhooks"], related_name="pending_fetches")

# Connections outlive a Celery task; the handler below closes only a broken one.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


def shorten_broker_timeouts() -> None:
    """Shorten the limits for a web process, before it publishes its first message.

    Its messages are hints: the sweep finds the rows that they point at.
    """
    options = app.conf.broker_transport_options
    limits = dict.fromkeys((n for n in options if n.endswith("_timeout")), _WEB_SECONDS)
    limits.pop("visibility_timeout", None)
    app.conf.broker_transport_options = {**options, **limits}


@worker_init.connect
@beat_init.connect
def refuse_wrong_pooler(**_: object) -> None:
    """End the program if its settings do not fit the pooler of the database."""
    from common import pooling

    try:
        pooling.refuse_wrong_pooler()
    except pooling.StatementsMixedUp as error:
        # Celery logs an exception of a handler and goes on, but not this one.
        raise SystemExit(f"Tickhook cannot run: {error}") from error


@worker_init.connect
def start_watchdog(**_: object) -> None:
    """Import the watchdog, which connects itself to signals; only workers need it."""
    from common import worker_watchdog  # noqa: F401


@worker_init.connect
def tune_garbage_collection(**_: object) -> None:
    """Collect less in this process, and in those that it forks."""
    from common.garbage import collect_less_garbage

    collect_less_garbage()


@task_prerun.connect
def close_broken_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
