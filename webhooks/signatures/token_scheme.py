from __future__ import annotations

import hmac
from collections.abc import Sequence

from webhooks.definitions.schemes import TokenScheme
from webhooks.signatures.errors import Cause, InvalidSignature
from webhooks.signatures.keys import PLAIN, usable_keys
from webhooks.signatures.requests import RawRequest


def verify_token(
    scheme: TokenScheme, request: RawRequest, *, secrets: Sequence[str]
) -> None:
    """Raise InvalidSignature unless a header holds one of the secrets."""
    keys = usable_keys(PLAIN, secrets)
    candidates = request.entries(scheme.read_from)
    matches = [hmac.compare_digest(key, sent) for key in keys for sent in candidates]
    if not any(matches):
        raise InvalidSignature(Cause.NO_MATCH, "The token does not match.")
