"""Who acts, and why: read when a change is recorded, by the code that records it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase


class ActorKind(StrEnum):
    USER = "user"
    KEY = "key"
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person, a program with a key of a person, a command, or the service itself.

    `name` is the name of the user or of the command.
    """

    kind: ActorKind
    name: str = ""
    user_id: int | None = None
    key_prefix: str = ""


SYSTEM = Actor(kind=ActorKind.SYSTEM)


# The records of changes that later changes are added to, by kind and id of the object.
Records = dict[tuple[str, str], UUID]

_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_reason: ContextVar[str] = ContextVar("reason", default="")
_records: ContextVar[Records | None] = ContextVar("records", default=None)


def current_actor() -> Actor:
    request = _request.get()
    return _actor.get() if request is None else actor_of_request(request)


def current_records() -> Records | None:
    """Return the records of the block of `joining_changes`; None outside of one."""
    return _records.get()


def current_reason() -> str:
    return _reason.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Record the changes that this thread makes inside the block as this actor's."""
    outer = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(outer)


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Record a reason with the changes that this thread makes inside the block."""
    outer = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(outer)


@contextmanager
def joining_changes() -> Iterator[None]:
    """Record all changes of an object that this thread makes inside the block as one.

    A block inside of another one belongs to it.
    """
    if _records.get() is not None:
        yield
        return
    outer = _records.set({})
    try:
        yield
    finally:
        _records.reset(outer)


def actor_of_request(request: HttpRequest) -> Actor:
    """Return who sent a request, which is known once a view has authenticated it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return SYSTEM
    prefix = str(getattr(getattr(request, "auth", None), "prefix", ""))
    return Actor(
        kind=ActorKind.KEY if prefix else ActorKind.USER,
        name=user.get_username(),
        user_id=user.pk,
        key_prefix=prefix,
    )


def actor_of_command(argv: Sequence[str]) -> Actor:
    """Return the actor of a command line: `manage.py create_api_token ana`."""
    name = argv[1] if len(argv) > 1 else Path(argv[0]).name
    return Actor(kind=ActorKind.COMMAND, name=name)


class ActingRequests:
    """Record the changes that a request makes as its sender's, and one per object."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        outer = _request.set(request)
        try:
            with joining_changes():
                return self._get_response(request)
        finally:
            _request.reset(outer)
