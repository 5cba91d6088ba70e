"""What the data of a type can't say about what its sender signs.

A hook takes a request and returns the contents that may have been signed, or raises
InvalidSignature. Its name stands in `schema.json`, under `signed_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from senders.signatures.hooks.sns import sns_lines
from senders.signatures.hooks.twilio import twilio_contents
from senders.signatures.requests import RawRequest

Hook = Callable[[RawRequest], list[bytes]]

hooks: Mapping[str, Hook] = {"sns": sns_lines, "twilio": twilio_contents}
