from __future__ import annotations

import logging
import resource

logger = logging.getLogger(__name__)

# The value of --backpressure in the Procfile: idle connections are cheap, but each is
# an open file.
MAX_CONNECTIONS = 4000
# Further files that a process opens: databases, logs, imported modules.
_OTHER_FILES = 200


def allow_all_connections() -> None:
    """Raise this process's limit of open files; log a warning if it stays too low.

    If the limit were below the number of connections, accepting a connection would
    fail. Connections above --backpressure wait instead.
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
