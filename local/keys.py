"""Keys and passwords that a first start makes and later starts keep."""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from local.files import read_json, write_private_json

FLOWER_USERNAME = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What this installation keeps to itself."""

    secret_key: str
    field_encryption_keys: str
    admin_password: str
    flower_password: str

    @property
    def flower_login(self) -> str:
        """Return the value of FLOWER_BASIC_AUTH."""
        return f"{FLOWER_USERNAME}:{self.flower_password}"


def keep_keys(path: Path) -> Keys:
    """Return the keys in the file at `path`; make those that it does not have yet."""
    kept = read_json(path)
    keys = {**asdict(_make_keys()), **kept}
    if keys != kept:
        write_private_json(path, keys)
    return Keys(**keys)


def _make_keys() -> Keys:
    return Keys(
        secret_key=secrets.token_urlsafe(48),
        # The form of a Fernet key: 32 bytes, URL-safe base64.
        field_encryption_keys=base64.urlsafe_b64encode(
            secrets.token_bytes(32)
        ).decode(),
        admin_password=secrets.token_urlsafe(12),
        flower_password=secrets.token_urlsafe(12),
    )
