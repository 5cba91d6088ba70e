from __future__ import annotations

import argparse
import os
import signal
import sys

from environs import EnvError

from local.embedded.process import die_with_parent
from local.files import make_data_folder
from local.guard import Guard
from local.lock import stack_lock
from local.options import Options, read_options
from local.ports import Port, refuse_taken_ports
from local.report import say_error
from local.stack import Stack
from local.stopping import StopRequested, StopRequests
from local.troubles import describe_os_error


def main() -> int:
    """Run the stack; return 0 if it was asked to end, 1 if it could not work."""
    arguments = _parse_arguments()
    if arguments.end_with_parent:
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
    make_data_folder(options.data)
    with stack_lock(options.data) as lock:
        refuse_taken_ports(
            [
                Port(variable="TICKHOOK_PORT", host=options.host, number=options.port),
                Port(
                    variable="FLOWER_PORT", host="127.0.0.1", number=options.flower_port
                ),
            ]
        )
        with Guard(lock) as guard:
            Stack(options, requests=requests, guard=guard).run()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local")
    parser.add_argument("action", choices=["up"])
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="also end when the process that started this one ends",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
