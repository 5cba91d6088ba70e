"""`hmac` of the standard library, for code whose interpreter has only `hashlib`."""

from __future__ import annotations

import hmac

import re2
from pydantic_monty import ClassInstance, ExternalModule

from senders.sandbox.host.guard import Guard

DIGESTS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})

# How the interpreter hands over `hashlib.sha256`.
_AS_FUNCTION = re2.compile(r"<function '?(\w+)'? at 0x[0-9a-f]+>")


def hmac_module(guard: Guard) -> ExternalModule:
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
    def __init__(self, mac: hmac.HMAC, guard: Guard) -> None:
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
