"""The settings of the project, and the naive baseline as one more app."""

from __future__ import annotations

from config.settings import *  # noqa: F403 - all of them, unchanged
from config.settings import CELERY_TASK_ROUTES as PROJECT_ROUTES
from config.settings import INSTALLED_APPS as PROJECT_APPS
from config.settings import REDIS_URL

INSTALLED_APPS = [*PROJECT_APPS, "benchmarks.naive"]
ROOT_URLCONF = "benchmarks.urls"
CELERY_TASK_ROUTES = {
    **PROJECT_ROUTES,
    "benchmarks.naive.tasks.process_hook": {"queue": "naive"},
    "benchmarks.naive.tasks.run_agent": {"queue": "naive-agents"},
}

# One tick of RedBeat sends all due entries and renews its lock only before that. The
# default at this interval, 25 seconds, expires before 10,000 entries are sent.
CELERY_REDBEAT_REDIS_URL = REDIS_URL
CELERY_REDBEAT_LOCK_TIMEOUT = 300
