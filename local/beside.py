"""Lets `manage.py` work beside a running `make up`, with what that one made."""

from __future__ import annotations

import os

from config.env import env
from local.files import read_json
from local.keys import keep_keys
from local.options import read_options
from local.services import build_environment


def use_running_stack() -> None:
    """Take keys and servers of the stack in the data folder, if one runs there.

    Whoever names a SECRET_KEY brings an environment of their own.
    """
    options = read_options()
    running = read_json(options.data / "stack.json")
    if env.str("SECRET_KEY", "") or not running:
        return
    keys = keep_keys(options.data / "keys.json")
    urls = {name.upper(): running[name] for name in ("database_url", "redis_url")}
    made = build_environment(options, keys, urls)
    site = read_json(options.data / "credentials.json").get("url", made["PUBLIC_URL"])
    os.environ.update(made | {"PUBLIC_URL": os.environ.get("PUBLIC_URL") or site})
