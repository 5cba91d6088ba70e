from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    AnyField = models.Field[Any, Any]
else:
    AnyField = models.Field


class RawJSONField(AnyField):
    """JSON stored as its text (PostgreSQL `json`), for data from senders.

    `jsonb` rejects valid JSON that some senders send (`\\u0000`, lone surrogates).
    Queries must not filter or sort by this field.
    """

    def db_type(self, connection: object) -> str:
        return "json"

    def get_prep_value(self, value: object) -> str | None:
        return None if value is None else dump_json(value)


class Xid8Field(AnyField):
    """A transaction id of 64 bits (PostgreSQL `xid8`), as text in Python."""

    def db_type(self, connection: object) -> str:
        return "xid8"

    def from_db_value(self, value: object, *_: object) -> str | None:
        return None if value is None else str(value)


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def dump_json(value: object) -> str:
    """Return JSON text that PostgreSQL's `json` accepts; raise ValueError for NaN."""
    return _encoder.encode(value)


class UndecryptableValue(ImproperlyConfigured):
    """A stored secret cannot be decrypted: its key is not in FIELD_ENCRYPTION_KEYS."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class EncryptedJSONField(AnyField):
    """JSON encrypted at rest with FIELD_ENCRYPTION_KEYS (Fernet; the first encrypts).

    Each process caches plaintexts by ciphertext, not by row, so a changed row is
    decrypted again.
    """

    def db_type(self, connection: object) -> str:
        return "bytea"

    def get_prep_value(self, value: object) -> bytes | None:
        if value is None:
            return None
        return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(
            dump_json(value).encode()
        )

    def from_db_value(self, value: Any, *_: object) -> Any:
        if value is None:
            return None
        plain = _decrypt(bytes(value), tuple(settings.FIELD_ENCRYPTION_KEYS))
        return json.loads(plain)


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is not set")
    return MultiFernet([Fernet(key) for key in keys])


@lru_cache(maxsize=4096)
def _decrypt(ciphertext: bytes, keys: tuple[str, ...]) -> str:
    try:
        return _cipher(keys).decrypt(ciphertext).decode()
    except InvalidToken as error:
        raise UndecryptableValue from error
