"""Reads the environment; the error for a bad value names the variable."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import dj_database_url
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env

MAX_RETENTION_DAYS = 100 * 366
MAX_RATE_LIMIT = 1_000_000_000
BROKER_SCHEMES = (
    *("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp"),
)
_LOGIN = re.compile(r"[!-9;-~]+:[!-~]+")
MAX_BYTES_PER_HOUR = 10**15

env = Env()
env.read_env()


def fernet_keys() -> list[str]:
    """Return FIELD_ENCRYPTION_KEYS: the first key encrypts, all keys decrypt."""
    keys: list[str] = env.list("FIELD_ENCRYPTION_KEYS", default=[])
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"FIELD_ENCRYPTION_KEYS: key {position} is not a Fernet key"
            ) from error
    return keys


def database_url(name: str, *, default: str) -> str:
    """Return the URL of a PostgreSQL database; empty if that is the default."""
    url: str = env.str(name, default="") or default
    if url:
        check_url(name, url, ("postgresql", "postgres", "pgsql"))
    return url


def redis_url() -> str:
    """Return REDIS_URL: `redis://`, `rediss://` or `unix://` (a socket's path)."""
    url: str = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
    check_url("REDIS_URL", url, ("redis", "rediss", "unix"))
    return url


def broker_url(redis: str) -> str:
    """Return CELERY_BROKER_URL, by default REDIS_URL in the form that Celery reads.

    redis-py writes a socket as `unix:///path?db=0`, kombu as
    `redis+socket:///path?virtual_host=0`.
    """
    if url := env.str("CELERY_BROKER_URL", default=""):
        # Alternatives follow a semicolon, with a scheme or without.
        first, *others = url.split(";")
        for one in (first, *(other for other in others if "://" in other)):
            check_url("CELERY_BROKER_URL", one, BROKER_SCHEMES)
        return str(url)
    parts = urlsplit(redis)
    if parts.scheme != "unix":
        return redis
    query = dict(parse_qsl(parts.query))
    login = parts.netloc.rpartition("@")[0]
    if password := query.pop("password", ""):
        login = f"{query.pop('username', '')}:{quote(password, safe='')}"
    if "db" in query:
        query["virtual_host"] = query.pop("db")
    place = f"{login}@{parts.path}" if login else parts.path
    return f"redis+socket://{place}" + (f"?{urlencode(query)}" if query else "")


def check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    """Raise ImproperlyConfigured for a bad URL, without showing its password."""
    known = [f"{scheme}://" for scheme in schemes]
    if not url.startswith(tuple(known)):
        *others, last = known
        either = " or ".join([", ".join(others), last])
        raise ImproperlyConfigured(f"{name} must start with {either}")
    try:
        parts = urlsplit(url)
        # If digits precede a raw slash in a password, they are parsed as the port.
        has_login_in_path = parts.port is not None and "@" in parts.path + parts.query
        is_whole = not parts.fragment and not has_login_in_path
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ImproperlyConfigured(
            f"{name} cannot be read. Write special characters of the user name and the "
            "password in percent-encoding: / as %2F, # as %23, @ as %40, : as %3A, "
            "? as %3F, % as %25"
        ) from None


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return the networks of a variable; an address is a network of one address."""
    texts: list[str] = env.list(name, default=[])
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip()))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}: '{text}' is neither an address nor a network ({error})"
            ) from error
    return found


def flower_logins() -> list[str]:
    """Return the logins of FLOWER_BASIC_AUTH; none with FLOWER_UNAUTHENTICATED.

    Flower's pages show tasks with their arguments and can stop workers.
    """
    text: str = env.str("FLOWER_BASIC_AUTH", default="")
    if not text:
        if env.bool("FLOWER_UNAUTHENTICATED", default=False):
            return []
        raise ImproperlyConfigured(
            "FLOWER_BASIC_AUTH is not set: give Flower a login, user:password. To open "
            "its pages to everyone who reaches them, set FLOWER_UNAUTHENTICATED=true"
        )
    logins = text.split(",")
    if not all(_LOGIN.fullmatch(login) for login in logins):
        raise ImproperlyConfigured(
            "FLOWER_BASIC_AUTH must be user:password in printable ASCII, without a "
            "comma in the password; several logins are separated by commas"
        )
    return logins


def retention_days(
    name: str, *, default: int = 0, within: int | None = None
) -> int | None:
    """Return for how many days rows are kept; None for 0: age does not delete them.

    Some rows are parts of others and cannot be kept longer: for them, `within` is the
    number of days of HISTORY_RETENTION_DAYS.
    """
    text: str = env.str(name, default="")
    try:
        days = int(text) if text else default
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be a whole number of days; 0 keeps all"
        ) from error
    if not 0 <= days <= MAX_RETENTION_DAYS:
        raise ImproperlyConfigured(
            f"{name} must be from 0 (keep) to {MAX_RETENTION_DAYS} days"
        )
    if within is not None and days > within:
        raise ImproperlyConfigured(
            f"{name} ({days}) must not exceed HISTORY_RETENTION_DAYS ({within}): an "
            "event is deleted with all of its rows. Raise that value or lower this one."
        )
    return days or None


def rate_limit(name: str, default: int, *, most: int = MAX_RATE_LIMIT) -> int:
    """Return a number of requests or bytes; 0 or an empty value means no limit."""
    text: str = env.str(name, default=str(default))
    try:
        limit = int(text or 0)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number") from error
    if not 0 <= limit <= most:
        raise ImproperlyConfigured(f"{name} must be from 0 to {most}")
    return limit


def positive(name: str, *, default: int) -> int:
    number: int = env.int(name, default=default)
    if number < 1:
        raise ImproperlyConfigured(f"{name} must be at least 1")
    return number


def required(name: str, hint: str) -> str:
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {hint}")
    return value


_OPTIONS: dict[str, Any] = {
    # A host that disappears without closing connections is abandoned within seconds,
    # so that its successor is found.
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # Frequent statements have arrays and bodies as parameters: the server binds them,
    # and plans each statement once.
    "server_side_binding": True,
    "prepare_threshold": 5,
}
_LOCAL = "postgresql://127.0.0.1/tickhook"


def databases() -> dict[str, dict[str, Any]]:
    """Return DATABASES, with `clock` only if CLOCK_DATABASE_URL is set."""
    found = {
        "default": read_database(
            "DATABASE_URL", database_url("DATABASE_URL", default=_LOCAL)
        )
    }
    if clock := database_url("CLOCK_DATABASE_URL", default=""):
        found["clock"] = read_database("CLOCK_DATABASE_URL", clock)
        found["clock"]["OPTIONS"]["prepare_threshold"] = None
    return found


def read_database(variable: str, url: str) -> dict[str, Any]:
    """Return the settings of one database; options in the URL replace ours."""
    try:
        # This engine replaces connections that a restart of the server broke.
        parsed = dj_database_url.parse(url, engine="common.database", conn_max_age=None)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} is not a valid URL") from error
    options = {**_OPTIONS, **(parsed.get("OPTIONS") or {})}
    options["prepare_threshold"] = _threshold(variable, options["prepare_threshold"])
    # A pooler that changes the server connection ends a server-side cursor.
    return {**parsed, "OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}


def _threshold(variable: str, value: object) -> int | None:
    if str(value).lower() == "none":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ImproperlyConfigured(
        f"{variable}: prepare_threshold must be `none` or a whole number"
    )
