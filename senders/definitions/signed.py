from __future__ import annotations

from senders.definitions.schemes import BodyField, PartKind, SignedScheme


def check_signed(scheme: SignedScheme, *, needs_secret: bool = False) -> None:
    """Raise ValueError unless a signature of the scheme would prove something."""
    if scheme.signed_by is not None:
        _check_signed_by(scheme)
        return
    kinds = {part.kind for part in scheme.signed}
    if needs_secret and PartKind.SECRET not in kinds:
        raise ValueError("anyone could make this hash: {secret} is missing")
    if PartKind.SECRET in kinds and not needs_secret:
        raise ValueError("{secret} is only for signatures of kind hash")
    _check_body(scheme, kinds)
    _check_timestamp(scheme, kinds)


def _check_signed_by(scheme: SignedScheme) -> None:
    if scheme.timestamp is not None:
        raise ValueError("a timestamp proves nothing beside signed_by")


def _check_body(scheme: SignedScheme, kinds: set[PartKind]) -> None:
    """A signature that lies in the body can only cover other fields of it."""
    is_inside = isinstance(scheme.read_from, BodyField) and PartKind.JSON in kinds
    if PartKind.BODY not in kinds and not is_inside:
        raise ValueError("the body must be signed: {body} is missing")


def _check_timestamp(scheme: SignedScheme, kinds: set[PartKind]) -> None:
    if scheme.timestamp is None:
        if PartKind.TIMESTAMP in kinds:
            raise ValueError("{timestamp} is signed, but no timestamp is described")
        return
    in_signed_body = (
        isinstance(scheme.timestamp.read_from, BodyField) and PartKind.BODY in kinds
    )
    if PartKind.TIMESTAMP not in kinds and not in_signed_body:
        raise ValueError("a timestamp proves nothing unless {timestamp} is signed")
