"""A program that calls the sandbox in forked children, before or after the parent did.

It prints the results and the process ids of the interpreters as JSON.
"""

from __future__ import annotations

import json
import os
import sys

from senders.sandbox import SandboxUnavailable, run_parser
from tests.senders.sandbox.code import ECHO
from tests.senders.sandbox.processes import workers_of


def call() -> str:
    try:
        return str(run_parser(ECHO, body=os.getpid(), headers={}, config={})["echo"])
    except SandboxUnavailable as error:
        return error.detail


def in_child() -> dict[str, object]:
    """Call in a child that ends at once, as the child of a prefork worker does."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = [call(), call()]
        found = {"pid": str(os.getpid()), "said": said, "workers": _workers()}
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer: dict[str, object] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return answer


def main(first: str) -> None:
    here = [call()] if first == "parent" else []
    children = [in_child() for _ in range(3)]
    here.append(call())
    own = {"pid": str(os.getpid()), "said": here, "workers": _workers()}
    sys.stdout.write(json.dumps([own, *children]))


def _workers() -> list[int]:
    return sorted(workers_of(os.getpid()))


if __name__ == "__main__":
    main(sys.argv[1])
