from __future__ import annotations

import urllib.parse

from pydantic_monty import ExternalModule

from senders.sandbox.host.guard import Guard

MAX_FIELDS = 1000


def urllib_module(guard: Guard) -> ExternalModule:
    """Return `urllib` with the functions of `urllib.parse` that take a text."""
    return ExternalModule(
        {
            "parse": ExternalModule(
                {
                    "parse_qs": guard(_parse_qs),
                    "parse_qsl": guard(_parse_qsl),
                    "quote": guard(urllib.parse.quote),
                    "quote_plus": guard(urllib.parse.quote_plus),
                    "unquote": guard(urllib.parse.unquote),
                    "unquote_plus": guard(urllib.parse.unquote_plus),
                }
            )
        }
    )


def _parse_qs(qs: str, keep_blank_values: bool = False) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(qs, keep_blank_values, max_num_fields=MAX_FIELDS)


def _parse_qsl(qs: str, keep_blank_values: bool = False) -> list[tuple[str, str]]:
    return urllib.parse.parse_qsl(qs, keep_blank_values, max_num_fields=MAX_FIELDS)
