"""Erases what is stored of a subject: the registry, and the order of its parts.

Each app has a module `erasure`. There it registers which columns hold data of a subject
(`ErasedData`), and the parts that find the rows of a subject. Definitions, such as
triggers and endpoints, are an operator's and stay.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import transaction
from django.db.models import F, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Exact
from django.utils.crypto import salted_hmac

from common.errors import InvalidInput, NotFound, clean_text

logger = logging.getLogger(__name__)

ROWS = 1_000
MAX_PASSES = 3
LONGEST_SUBJECT = 255


class UnknownSubject(NotFound):
    """Nothing carries this subject: it is misspelled, or it is erased already."""

    code = "unknown_subject"


class Owner(StrEnum):
    """What a row belongs to: rows are found by its id."""

    ENDPOINT = "endpoint"
    TRIGGER = "trigger"
    EXECUTION = "execution"
    TASK = "task"


class Stage(IntEnum):
    """The order of parts: first those that end what leads to new data."""

    REQUESTS = 1
    EVENTS = 2
    RESULTS = 3
    REDIS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A subject, and the ids of the definitions that carry it."""

    subject: str
    ids: Mapping[Owner, Sequence[UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many rows of a kind one transaction erased, or else only cancelled."""

    kind: str
    rows: int
    is_cancelled: bool = False


# Erases the rows of a scope, each batch in one transaction. A dry run only counts.
Part = Callable[[Scope, bool], Iterator[Batch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedData:
    """The columns of a table that hold data of a subject, and what replaces them.

    `key` is the column that names the owner, and `keys` makes its values of ids. With
    no columns in `empty`, the rows that meet `only` are deleted.
    """

    kind: str
    model: type[Model]
    owner: Owner
    key: str
    empty: Mapping[str, object] = field(default_factory=dict)
    keys: Callable[[Sequence[UUID]], Sequence[object]] = list
    only: Q = field(default_factory=Q)

    def erase(self, ids: Sequence[UUID]) -> int:
        """Erase at most 1,000 rows that still hold data; return how many."""
        with transaction.atomic():
            held = self._holding(ids).order_by("pk").select_for_update()
            found = list(held.values_list("pk", flat=True)[:ROWS])
            rows = self.model._default_manager.filter(pk__in=found)
            return rows.update(**self.empty) if self.empty else rows.delete()[0]

    def count(self, ids: Sequence[UUID]) -> int:
        """Return how many rows still hold data."""
        return self._holding(ids).count()

    def _holding(self, ids: Sequence[UUID]) -> QuerySet[Model]:
        found = self.model._default_manager.filter(
            self.only, **{f"{self.key}__in": self.keys(ids)}
        )
        if not self.empty:
            return found
        return found.filter(reduce(or_, map(self._holds, self.empty)))

    def _holds(self, name: str) -> Q:
        """Compare as text, because PostgreSQL's `json` has no equality."""
        by_name = {one.name: one for one in self.model._meta.local_fields}
        empty = by_name[name].get_prep_value(self.empty[name])
        nothing = Value("", output_field=TextField())
        stored = Coalesce(Cast(F(name), TextField()), nothing)
        return ~Q(Exact(stored, empty or ""))


@dataclass(slots=True, kw_only=True)
class Erasure:
    """The rows that were erased or cancelled, by kind; in a dry run, those to be.

    `arrived` is how many events came while the others were erased; they are left.
    """

    erased: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    arrived: int = 0

    @property
    def rows(self) -> int:
        return self.erased.total() + self.cancelled.total()

    def add(self, batch: Batch) -> None:
        counts = self.cancelled if batch.is_cancelled else self.erased
        counts[batch.kind] += batch.rows


_definitions: dict[Owner, type[Model]] = {}
_data: list[ErasedData] = []
_parts: list[tuple[Stage, Part]] = []
_columns: dict[type[Model], Sequence[str]] = {}


def register_definitions(owner: Owner, model: type[Model]) -> None:
    """Register a model whose `subject` is that of what its rows own."""
    _definitions[owner] = model


def register_data(data: ErasedData) -> None:
    _data.append(data)
    _columns[data.model] = tuple(data.empty) or [
        one.name for one in data.model._meta.local_fields
    ]


def register_part(stage: Stage, part: Part) -> None:
    _parts.append((stage, part))


def register_columns(model: type[Model], columns: Sequence[str]) -> None:
    """Register columns that a part erases without `ErasedData`."""
    _columns[model] = columns


def erased_columns(model: type[Model]) -> Sequence[str]:
    """Return the columns of a model that an erasure empties or deletes."""
    return _columns.get(model, ())


def erase_owned(owner: Owner, ids: Sequence[UUID], *, is_dry: bool) -> Iterator[Batch]:
    """Erase the data of these owners' rows, table by table."""
    for data in _data:
        if data.owner != owner:
            continue
        if is_dry:
            yield Batch(kind=data.kind, rows=data.count(ids))
            continue
        rows = ROWS
        while rows == ROWS:
            rows = data.erase(ids)
            yield Batch(kind=data.kind, rows=rows)


def erase_subject(subject: str, *, is_dry: bool = False) -> Erasure:
    """Erase what is stored of a subject, in small transactions.

    It may be stopped at any moment, and a second call continues. Another pass erases
    what arrived during the first one, such as a redelivery. Raises InvalidInput,
    UnknownSubject, and what a part raises.
    """
    if not subject or clean_text(subject, limit=LONGEST_SUBJECT) != subject:
        raise InvalidInput(
            f"A subject has 1 to {LONGEST_SUBJECT} characters. Rows with an empty "
            "subject belong to no subject in particular"
        )
    scope, erasure = _scope_of(subject), Erasure()
    try:
        for _ in range(1 if is_dry else MAX_PASSES):
            _run_parts(scope, erasure, is_dry=is_dry)
            if not erasure.arrived:
                break
    finally:
        if erasure.rows and not is_dry:
            _log(subject, erasure)
    if not erasure.rows and not any(scope.ids.values()):
        raise UnknownSubject
    return erasure


def _run_parts(scope: Scope, erasure: Erasure, *, is_dry: bool) -> None:
    parts = sorted(_parts, key=lambda registered: registered[0])
    for _, part in parts:
        for batch in part(scope, is_dry):
            erasure.add(batch)
    if not is_dry:
        erasure.arrived = sum(
            batch.rows
            for stage, part in parts
            if stage == Stage.EVENTS
            for batch in part(scope, True)
        )


def _log(subject: str, erasure: Erasure) -> None:
    # Not the subject itself: it may name a person, and logs outlive the erasure.
    digest = salted_hmac("access.erasure", subject).hexdigest()[:12]
    found = erasure.erased.items()
    counts = ", ".join(f"{rows} {kind}" for kind, rows in found if rows)
    logger.info("Erased subject %s: %s", digest, counts or "nothing")


def _scope_of(subject: str) -> Scope:
    ids = {
        owner: list(
            model._default_manager.filter(subject=subject)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        for owner, model in _definitions.items()
    }
    return Scope(subject=subject, ids=ids)
