"""How long the programs wait for the broker."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

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


def transport_options(url: str) -> dict[str, Any]:
    """Return the transport options of Celery for the broker that the URL names."""
    is_rabbitmq = urlsplit(url).scheme in {"amqp", "amqps", "pyamqp"}
    return dict(_RABBITMQ if is_rabbitmq else _REDIS)


def publish_impatiently() -> None:
    """Shorten the limits for a web process, before it publishes its first message.

    Its messages are hints: the sweep finds what they point at.
    """
    from config.celery import app

    options = app.conf.broker_transport_options
    limits = dict.fromkeys((n for n in options if n.endswith("_timeout")), _WEB_SECONDS)
    limits.pop("visibility_timeout", None)
    app.conf.broker_transport_options = {**options, **limits}
