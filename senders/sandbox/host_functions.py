"""`hmac` and `urllib.parse` of this process, for code that runs in the sandbox.

Monty has `hashlib`, but neither of these modules.
"""

from __future__ import annotations

import hmac
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import re2
from pydantic_monty import ClassInstance, ExternalModule

MAX_ARGUMENT_LENGTH = 1_000_000
MAX_FIELDS = 1000
DIGESTS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})

# The text with which the interpreter passes `hashlib.sha256`.
_AS_FUNCTION = re2.compile(r"<function '?(\w+)'? at 0x[0-9a-f]+>")


class HostCallGuard:
    """Wraps the functions of this process that code may call.

    The interpreter's time limit does not count them, so the guard has a deadline. The
    text of an exception would reach the code, with paths of this machine in it, so the
    guard replaces it.
    """

    def __init__(self, *, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: object, **kwargs: object) -> Any:
            if time.monotonic() > self._deadline:
                raise TimeoutError("time limit exceeded")
            if not all(map(_is_small, (*args, *kwargs.values()))):
                raise ValueError("an argument is not text, or too long")
            try:
                return function(*args, **kwargs)
            except Exception:  # noqa: BLE001 - no exception's text may reach the code
                raise ValueError("the arguments are not valid") from None

        return guarded


def _is_small(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= MAX_ARGUMENT_LENGTH
    return value is None or isinstance(value, int)


def host_modules(
    guard: HostCallGuard,
) -> Mapping[str, Callable[[], ExternalModule]]:
    """Return the modules that code can import in addition to Monty's own."""
    return {
        "hmac": lambda: hmac_module(guard),
        "urllib": lambda: urllib_module(guard),
    }


def hmac_module(guard: HostCallGuard) -> ExternalModule:
    def new(key: object, msg: object = b"", digestmod: str = "") -> ClassInstance:
        mac = _Mac(hmac.new(_bytes(key), _bytes(msg or b""), _digest(digestmod)), guard)
        return ClassInstance(mac, allowed_methods={"update", "digest", "hexdigest"})

    return ExternalModule(
        {
            "new": guard(new),
            "digest": guard(
                lambda key, msg, digest: hmac.digest(
                    _bytes(key), _bytes(msg), _digest(digest)
                )
            ),
            "compare_digest": guard(
                lambda a, b: hmac.compare_digest(_bytes(a), _bytes(b))
            ),
        }
    )


class _Mac:
    def __init__(self, mac: hmac.HMAC, guard: HostCallGuard) -> None:
        self.update = guard(lambda msg: mac.update(_bytes(msg)))
        self.digest = guard(mac.digest)
        self.hexdigest = guard(mac.hexdigest)


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise TypeError("neither text nor bytes")


def _digest(digestmod: str) -> str:
    found = _AS_FUNCTION.fullmatch(digestmod)
    name = found.group(1) if found else digestmod
    if name not in DIGESTS:
        raise ValueError("no such digest")
    return name


def urllib_module(guard: HostCallGuard) -> ExternalModule:
    """Return `urllib` with those functions of `urllib.parse` that take a text."""

    def parse_qs(qs: str, keep_blank_values: bool = False) -> dict[str, list[str]]:
        return urllib.parse.parse_qs(qs, keep_blank_values, max_num_fields=MAX_FIELDS)

    def parse_qsl(qs: str, keep_blank_values: bool = False) -> list[tuple[str, str]]:
        return urllib.parse.parse_qsl(qs, keep_blank_values, max_num_fields=MAX_FIELDS)

    return ExternalModule(
        {
            "parse": ExternalModule(
                {
                    "parse_qs": guard(parse_qs),
                    "parse_qsl": guard(parse_qsl),
                    "quote": guard(urllib.parse.quote),
                    "quote_plus": guard(urllib.parse.quote_plus),
                    "unquote": guard(urllib.parse.unquote),
                    "unquote_plus": guard(urllib.parse.unquote_plus),
                }
            )
        }
    )
