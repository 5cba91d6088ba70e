"""Where the embedded servers keep data, sockets and programs.

PostgreSQL refuses to run as root, so root starts the servers as `nobody`, who may
not enter every folder that root may. Nobody's way in is never opened by changing
the permissions of a folder that is not ours: what must be reached lies elsewhere
then, behind a link that stays where the caller asked for it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.embedded.process import Identity

# Sockets are named in URLs and lists, and the kernel allows 107 bytes in all.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]{1,80}")
_FOLDERS_ELSEWHERE = Path("/var/lib")
_SOCKETS_ELSEWHERE = Path("/tmp")  # noqa: S108 (owner and mode are checked below)


class PlaceUnusableError(RuntimeError):
    """A folder the embedded servers need cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that a server may use, and the user it must run as."""

    folder: Path
    identity: Identity | None

    def own(self, path: Path) -> None:
        """Give `path` to the server's user."""
        if self.identity:
            os.chown(path, self.identity.uid, self.identity.gid)


def find_place(wanted: Path) -> Place:
    """Make the folder `wanted`, or a link to one that the server's user can reach."""
    wanted = wanted.absolute()
    if not wanted.is_symlink():
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not wanted.is_dir():
        raise PlaceUnusableError(f"{wanted} points to {wanted.readlink()}, not there")
    identity = _server_identity(wanted)
    folder = wanted.resolve()
    if identity and not may_reach(folder.parent, identity):
        folder = _move_elsewhere(wanted)
    place = Place(folder=folder, identity=identity)
    place.own(folder)
    return place


def remove_place(wanted: Path) -> None:
    """Delete what `find_place(wanted)` and `find_sockets` made, and the link if any."""
    folder = wanted.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(_short_folder(folder), ignore_errors=True)
    wanted.unlink(missing_ok=True)


def find_sockets(place: Place) -> Path:
    """Return the server's own folder, or a short plain one if that cannot name sockets.

    The answer is the same at each start, so URLs outlive a restart of the server.
    """
    if _PLAIN_PATH.fullmatch(str(place.folder)):
        return place.folder
    sockets = _short_folder(place.folder)
    if not sockets.is_symlink() and not sockets.exists():
        sockets.mkdir(mode=0o700)
        place.own(sockets)
    _refuse_foreign(sockets, place)
    return sockets


def may_reach(path: Path, identity: Identity) -> bool:
    """Ask the kernel whether a user may enter the folder or run the file `path`."""
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
    """Return None to run as the caller; root runs as the folder's owner or nobody."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return Identity(uid=owner.st_uid, gid=owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Identity(uid=nobody.pw_uid, gid=nobody.pw_gid)


def _move_elsewhere(wanted: Path) -> Path:
    if any(wanted.iterdir()):
        raise PlaceUnusableError(f"{wanted} holds data but its owner cannot reach it")
    folder = Path(tempfile.mkdtemp(prefix="tickhook-", dir=_FOLDERS_ELSEWHERE))
    wanted.rmdir()
    wanted.symlink_to(folder)
    return folder


def _short_folder(folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return _SOCKETS_ELSEWHERE / f"tickhook-{digest}"


def _refuse_foreign(sockets: Path, place: Place) -> None:
    """Refuse a folder in a place for all that somebody else prepared for us."""
    found = sockets.lstat()
    owner = place.identity.uid if place.identity else os.geteuid()
    is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if not is_private or found.st_uid != owner:
        raise PlaceUnusableError(f"{sockets} belongs to somebody else; remove it")
