"""Reads the environment once; a bad value is refused by the variable's name."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env

MAX_RETENTION_DAYS = 100 * 366
MAX_RATE_LIMIT = 1_000_000_000
MAX_BYTES_PER_HOUR = 10**15

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


def redis_url() -> str:
    """Return REDIS_URL: `redis://`, `rediss://` or `unix://` (a socket's path)."""
    url: str = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(
            "REDIS_URL must start with redis://, rediss:// or unix://"
        )
    return url


def broker_url(redis: str) -> str:
    """Return CELERY_BROKER_URL, by default REDIS_URL in the form Celery reads.

    redis-py writes a socket as `unix:///path?db=0`, kombu as
    `redis+socket:///path?virtual_host=0`.
    """
    parts = urlsplit(redis)
    default = redis
    if parts.scheme == "unix":
        default = f"redis+socket://{parts.path}"
        if parts.query:
            default += "?" + parts.query.replace("db=", "virtual_host=")
    url: str = env.str("CELERY_BROKER_URL", default=default)
    return url


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


def retention_days(
    name: str, *, default: int = 0, within: int | None = None
) -> int | None:
    """Return for how many days rows are kept; None for 0: they are not deleted by age.

    Rows that are part of others cannot outlive them: `within` is the number of days of
    HISTORY_RETENTION_DAYS for these.
    """
    text: str = env.str(name, default="")
    try:
        days = int(text) if text else default
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be a whole number of days; 0 keeps"
        ) from error
    if not 0 <= days <= MAX_RETENTION_DAYS:
        raise ImproperlyConfigured(
            f"{name} must be from 0 (keep) to {MAX_RETENTION_DAYS} days"
        )
    if within is not None and days > within:
        raise ImproperlyConfigured(
            f"{name} ({days}) must not exceed HISTORY_RETENTION_DAYS ({within}): an "
            "event is deleted with all that belongs to it. Raise that, or lower this."
        )
    return days or None


def rate_limit(name: str, default: int, *, most: int = MAX_RATE_LIMIT) -> int:
    """Return a number of requests, or of bytes; 0, or nothing, for no limit."""
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
