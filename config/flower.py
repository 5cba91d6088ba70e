"""The configuration of Flower, which reads this file when it starts."""

from __future__ import annotations

from tornado.options import options

from config.celery import load_settings
from config.env import flower_logins

load_settings()

# OAuth, Flower's other kind of login, has options of its own.
if not options.auth:
    basic_auth = flower_logins()
