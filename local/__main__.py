from __future__ import annotations

import argparse
import os
import signal
import sys

from environs import EnvError

from local.embedded.process import die_with_parent
from local.environment import Options, make_data_folder, read_options, stack_lock
from local.report import say_error
from local.stack import Port, Stack, StopRequested, StopRequests, refuse_taken_ports
from local.supervisor import describe_os_error
from local.watchdog import Watchdog


def main() -> int:
    """Run the stack; return 0 after a request to stop, 1 if it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m local")
    parser.add_argument("action", choices=["up"])
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="also end when the process that started this one ends",
    )
    if parser.parse_args().end_with_parent:
        die_with_parent(signal.SIGTERM)
    requests = StopRequests()
    requests.listen()
    os.umask(0o077)
    try:
        _up(read_options(), requests)
    except StopRequested:
        return 0
    except OSError as error:
        say_error(f"Tickhook cannot run: {describe_os_error(error)}")
    except (EnvError, RuntimeError, ValueError) as error:
        say_error(f"Tickhook cannot run: {error}")
    return 1


def _up(options: Options, requests: StopRequests) -> None:
    site = Port(variable="TICKHOOK_PORT", host=options.host, number=options.port)
    flower = Port(variable="FLOWER_PORT", host="127.0.0.1", number=options.flower_port)
    make_data_folder(options.data)
    with stack_lock(options.data) as lock:
        refuse_taken_ports([site, flower])
        with Watchdog(lock) as watchdog:
            Stack(options, requests=requests, watchdog=watchdog).run()


if __name__ == "__main__":
    sys.exit(main())
