"""Keys and passwords that a first start makes and later starts keep."""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from config.stack.files import read_json, write_private_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What this installation keeps to itself."""

    secret_key: str
    field_encryption_keys: str
    admin_password: str


def keep_keys(path: Path) -> Keys:
    """Return the keys in the file at `path`, made on the first call."""
    if not path.exists():
        write_private_json(path, asdict(_make_keys()))
    return Keys(**read_json(path))


def _make_keys() -> Keys:
    return Keys(
        secret_key=secrets.token_urlsafe(48),
        # The form of a Fernet key: 32 bytes, URL-safe base64.
        field_encryption_keys=base64.urlsafe_b64encode(
            secrets.token_bytes(32)
        ).decode(),
        admin_password=secrets.token_urlsafe(12),
    )
