"""What one stack is made of: its options, its keys and the files in its data folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from config.env import env
from local.embedded.process import try_lock, wait_until

ROOT = Path(__file__).resolve().parents[1]
FLOWER_USERNAME = "admin"
_PROBE_BYTES = 64 * 1024
_LITTLE_SPACE_BYTES = 64 * 1024 * 1024
_ENDING_TIMEOUT_SECONDS = 15
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (not bound here)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The variables of `.env.example` that the stack itself reads."""

    host: str
    port: int
    flower_port: int
    data: Path
    demo: bool | None
    database_url: str | None
    redis_url: str | None

    @property
    def url(self) -> str:
        """The address of the site on this machine."""
        return f"http://{_ANY_ADDRESS.get(self.host, self.host)}:{self.port}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}"


def read_options() -> Options:
    """Read the environment and `.env`; a bad value raises `environs.EnvError`."""
    return Options(
        host=env.str("TICKHOOK_HOST", "127.0.0.1"),
        port=env.int("TICKHOOK_PORT", 8000),
        flower_port=env.int("FLOWER_PORT", 5555),
        data=ROOT / Path(env.str("TICKHOOK_DATA", ".data")).expanduser(),
        demo=env.bool("TICKHOOK_DEMO") if env.str("TICKHOOK_DEMO", "") else None,
        database_url=env.str("DATABASE_URL", "") or None,
        redis_url=env.str("REDIS_URL", "") or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of an installation, made by its first start and kept."""

    secret_key: str
    field_encryption_keys: str
    admin_password: str
    flower_password: str

    @property
    def flower_login(self) -> str:
        """The value of FLOWER_BASIC_AUTH."""
        return f"{FLOWER_USERNAME}:{self.flower_password}"


def load_keys(path: Path) -> Keys:
    """Return the keys in the file at `path`, after adding those that are missing."""
    # The form of a Fernet key: 32 bytes, URL-safe base64.
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    made = Keys(
        secret_key=secrets.token_urlsafe(48),
        field_encryption_keys=fernet_key,
        admin_password=secrets.token_urlsafe(12),
        flower_password=secrets.token_urlsafe(12),
    )
    kept = read_json(path)
    keys = asdict(made) | kept
    if keys != kept:
        write_private_json(path, keys)
    return Keys(**keys)


def build_environment(
    options: Options, keys: Keys, urls: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of every program; what the operator set has priority."""
    made = {
        "SECRET_KEY": keys.secret_key,
        "FIELD_ENCRYPTION_KEYS": keys.field_encryption_keys,
        "PUBLIC_URL": options.url,
        "TICKHOOK_HOST": options.host,
        "TICKHOOK_PORT": str(options.port),
        "FLOWER_PORT": str(options.flower_port),
        "FLOWER_BASIC_AUTH": keys.flower_login,
        "TICKHOOK_DATA": str(options.data),
        "PYTHONUNBUFFERED": "1",
        **urls,
    }
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    unset = {name: made[name] for name in made if not os.environ.get(name)}
    return {**os.environ, **unset, "PATH": programs}


class DataFolderUnusableError(RuntimeError):
    """The data folder is not writable."""


def make_data_folder(data: Path) -> None:
    """Make the data folder; raise DataFolderUnusableError if it is not writable.

    Servers that root starts run as another user, who must be able to enter the folder.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        if data.stat().st_uid == os.geteuid():
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        # A full disk must be noticed at the start.
        probe = data / "stack.probe"
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise DataFolderUnusableError(
            f"TICKHOOK_DATA: cannot write to {data} ({error.strerror}). Make the "
            "folder writable and free some space, or set TICKHOOK_DATA to another "
            "folder."
        ) from error


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Replace the file at `path` in one step, with mode 600.

    If that fails, the OSError names the file, which still has its old content.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file; an empty one if there is no file."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


class StackAlreadyRunningError(RuntimeError):
    """Another stack runs on the same data folder."""


@contextmanager
def stack_lock(data: Path) -> Iterator[int]:
    """Hold the lock of a data folder; yield its descriptor, which a watchdog inherits.

    A data folder has one stack at a time. If the last stack was killed, its watchdog
    holds the lock until every process has ended: wait for that, but not for a stack
    that runs.
    """
    lock = os.open(data / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:

        def is_locked_or_in_use() -> bool:
            holder = _read_holder(lock)
            return try_lock(lock) or Path(f"/proc/{holder or 'none'}").exists()

        wait_until(is_locked_or_in_use, timeout_seconds=_ENDING_TIMEOUT_SECONDS)
        if not try_lock(lock):
            credentials = read_json(data / "credentials.json")
            url = credentials.get("url", "still starting")
            raise StackAlreadyRunningError(
                f"Tickhook is already running on {data}: {url} "
                f"(process {_read_holder(lock)})"
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _read_holder(lock: int) -> int:
    """Return the process id that the holder of the lock wrote; 0 before the first."""
    return int(os.pread(lock, 20, 0) or b"0")


def describe_little_space(folder: Path) -> str | None:
    """Return a warning if the disk of a folder is almost full."""
    if shutil.disk_usage(folder).free >= _LITTLE_SPACE_BYTES:
        return None
    # The text has no exact number: a text that changes is reported again.
    limit = _LITTLE_SPACE_BYTES // 2**20
    return (
        f"Less than {limit} MB are free on the disk of {folder}: PostgreSQL stops when "
        "it is full. Free some space."
    )


def use_running_stack() -> None:
    """Take keys and servers from the stack that runs on the data folder, if one does.

    With it, `manage.py` and `celery` work while `make up` runs. If SECRET_KEY is set,
    the operator brings an environment, which stays as it is.
    """
    if env.str("SECRET_KEY", ""):
        return
    options = read_options()
    running = read_json(options.data / "stack.json")
    # A killed stack leaves its file behind.
    processes = running.get("processes", {}).values()
    if not any(Path(f"/proc/{pid}").exists() for pid in processes):
        return
    keys = load_keys(options.data / "keys.json")
    urls = {name.upper(): running[name] for name in ("database_url", "redis_url")}
    made = build_environment(options, keys, urls)
    credentials = read_json(options.data / "credentials.json")
    public_url = credentials.get("url", made["PUBLIC_URL"])
    os.environ.update(made | {"PUBLIC_URL": os.environ.get("PUBLIC_URL") or public_url})
