from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from common import ids
from common.ids import derived_uuid7, uuid7
from tests.races import race


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    before = int(datetime.now(UTC).timestamp() * 1000)
    made = uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert 0 <= (made.int >> 80) - before < 60_000


def test_ids_of_eight_threads_are_all_different() -> None:
    made = race(lambda: [uuid7() for _ in range(2000)])

    assert len({i for some in made for i in some}) == 16_000
    assert all(some == sorted(some) for some in made)


def test_ids_increase_even_if_the_clock_steps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = uuid7()
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 0))

    assert first < uuid7() < uuid7()


ZERO = "00000000-0000-0000-0000-000000000000"
EVENT = "0192f0c1-8000-7000-8000-000000000001"
TRIGGER = "0192f0c0-0000-7abc-9def-0123456789ab"


@pytest.mark.parametrize(
    ("of", "by", "derived"),
    [
        (ZERO, ZERO, "00000000-0000-7666-a1ea-b7e18af5ddb2"),
        (EVENT, TRIGGER, "0192f0c1-8000-7473-b4db-ab82f903c09a"),
        (TRIGGER, EVENT, None),
        (
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            TRIGGER,
            "ffffffff-ffff-76e3-9195-3df64390a1f5",
        ),
    ],
)
def test_the_bits_of_a_derived_id_are_as_documented(
    of: str, by: str, derived: str | None
) -> None:
    digest = hashlib.sha256(UUID(by).bytes + UUID(of).bytes).hexdigest()
    random = f"{int(digest, 16):0256b}"[:74]
    time = f"{UUID(of).int:0128b}"[:48]
    bits = f"{time}0111{random[:12]}10{random[12:]}"

    made = derived_uuid7(UUID(of), by=UUID(by))

    assert made == UUID(int=int(bits, 2))
    assert derived is None or made == UUID(derived)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_derived_ids_of_other_pairs_differ() -> None:
    ids_of_events = [uuid7() for _ in range(100)]

    made = {derived_uuid7(a, by=b) for a in ids_of_events for b in ids_of_events}

    assert len(made) == 10_000
