"""The program that a pool starts as its worker: Monty, held by the kernel as well."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sysconfig
from functools import cache

logger = logging.getLogger(__name__)

MAX_ADDRESS_SPACE = 1024 * 1024 * 1024
MAX_OPEN_FILES = 32


@cache
def worker_program() -> str | None:
    """Return the path of a script that bounds Monty and starts it.

    None where the programs of util-linux are missing: Monty then bounds itself alone.
    """
    prlimit, setpriv, monty = shutil.which("prlimit"), shutil.which("setpriv"), _monty()
    if prlimit and setpriv and monty:
        script = _keep_in_memory(_script(prlimit, setpriv, monty))
        if script is not None:
            return script
    logger.warning("Monty runs without the limits of prlimit and setpriv (util-linux)")
    return None


def _monty() -> str | None:
    scripts = sysconfig.get_path("scripts")
    return shutil.which("monty", path=scripts) or shutil.which("monty")


def _script(prlimit: str, setpriv: str, monty: str) -> str:
    limits = f"--as={MAX_ADDRESS_SPACE} --nofile={MAX_OPEN_FILES} --fsize=0"
    prlimit, setpriv, monty = map(shlex.quote, (prlimit, setpriv, monty))
    return f'#!/bin/sh\nexec {prlimit} {limits} {setpriv} --no-new-privs {monty} "$@"\n'


def _keep_in_memory(text: str) -> str | None:
    """Return a path to a script that goes with this process, however that ends.

    None where the kernel lets nothing in memory be executed.
    """
    try:
        file = os.memfd_create("monty-worker")
        os.write(file, text.encode())
        os.fchmod(file, 0o500)
    except (AttributeError, OSError):
        return None
    path = f"/proc/{os.getpid()}/fd/{file}"
    return path if os.access(path, os.X_OK) else None
