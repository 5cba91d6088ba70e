from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from senders.sandbox.entry import Entry, input_name
from senders.sandbox.errors import SandboxRefused
from senders.sandbox.limits import MAX_INPUT_BYTES


def inputs_for(entry: Entry, values: Mapping[str, object]) -> dict[str, Any]:
    """Return what a function asks for, as the interpreter takes it.

    Raise SandboxRefused for more than 1 MB: the code must not be made slow by size.
    """
    wanted = {name: values[name] for name in entry.parameters}
    try:
        size = len(orjson.dumps(wanted))
    except TypeError:
        wanted, size = _rewrite(wanted)
    if size > MAX_INPUT_BYTES:
        raise SandboxRefused(
            f"The request is larger than {MAX_INPUT_BYTES:,} bytes: "
            "the code is not run on it"
        )
    return {input_name(name): value for name, value in wanted.items()}


def _rewrite(values: dict[str, object]) -> tuple[dict[str, object], int]:
    """Put U+FFFD in place of lone surrogates, which the interpreter doesn't take."""
    text = json.dumps(values, ensure_ascii=False)
    clean = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return json.loads(clean), len(clean)
