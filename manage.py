#!/usr/bin/env python
from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from access.actors import acting_as, actor_of_command
from local.environment import use_running_stack


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    use_running_stack()
    with acting_as(actor_of_command(sys.argv)):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
