"""Reads the environment once; a bad value is refused by the variable's name."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env

MAX_RETENTION_DAYS = 100 * 366
MAX_RATE_LIMIT = 1_000_000_000
BROKER_SCHEMES = (
    *("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp"),
)

env = Env()
env.read_env()


def fernet_keys() -> list[str]:
    """Return FIELD_ENCRYPTION_KEYS; the first encrypts, all decrypt."""
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
    """Return the URL of a PostgreSQL, or nothing if that is the default."""
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
    """Return CELERY_BROKER_URL, by default REDIS_URL in the form Celery reads.

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
    """Refuse a URL that cannot be read; the message never shows the URL's password."""
    known = [f"{scheme}://" for scheme in schemes]
    if not url.startswith(tuple(known)):
        raise ImproperlyConfigured(f"{name} must start with {_either(known)}")
    try:
        parts = urlsplit(url)
        # What precedes a raw slash in a password passes for a port if it is a number.
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


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]])


def trusted_proxies() -> list[IPv4Network | IPv6Network]:
    """Return TRUSTED_PROXIES; an address is a network of one."""
    texts: list[str] = env.list("TRUSTED_PROXIES", default=[])
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip()))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"TRUSTED_PROXIES: '{text}' is neither an address nor a network"
            ) from error
    return networks


def retention_days() -> int | None:
    """Return HISTORY_RETENTION_DAYS; None if history is kept for ever."""
    if not env.str("HISTORY_RETENTION_DAYS", default=""):
        return None
    days: int = env.int("HISTORY_RETENTION_DAYS")
    if not 1 <= days <= MAX_RETENTION_DAYS:
        raise ImproperlyConfigured(
            f"HISTORY_RETENTION_DAYS must be from 1 to {MAX_RETENTION_DAYS}"
        )
    return days


def rate_limit(name: str, default: int) -> int:
    """Return a number of requests a minute; 0, or nothing, for no limit."""
    text: str = env.str(name, default=str(default))
    try:
        limit = int(text or 0)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number") from error
    if not 0 <= limit <= MAX_RATE_LIMIT:
        raise ImproperlyConfigured(f"{name} must be from 0 to {MAX_RATE_LIMIT}")
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
