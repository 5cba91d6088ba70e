from __future__ import annotations

import logging
import resource

logger = logging.getLogger(__name__)

# As the Procfile says: idle connections are cheap, but each is an open file.
MAX_CONNECTIONS = 4000
# What a process opens besides: databases, logs, modules that are imported.
_OTHER_FILES = 200


def allow_all_connections() -> None:
    """Raise this process's limit of open files; warn if the system allows too few.

    A limit below the number of connections would make accepting them fail, instead of
    letting those that are too many wait.
    """
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _is_enough(soft, wanted):
        return
    reachable = wanted if _is_enough(hard, wanted) else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    if reachable < wanted:
        logger.warning(
            "The system allows a web process %d open files, fewer than the %d that "
            "its connections may need. Raise the limit (ulimit -n, LimitNOFILE=), or "
            "lower --backpressure in the Procfile.",
            reachable,
            wanted,
        )


def _is_enough(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted
