from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from common import ids
from common.ids import uuid7
from tests.races import race


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    before = int(datetime.now(UTC).timestamp() * 1000)
    made = uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert 0 <= (made.int >> 80) - before < 60_000


def test_ids_of_eight_threads_are_all_different() -> None:
    made = race(lambda: [uuid7() for _ in range(2000)])

    assert len({i for some in made for i in some}) == 16_000
    assert all(some == sorted(some) for some in made)


def test_a_clock_that_steps_back_gives_later_ids_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = uuid7()
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 0))

    assert first < uuid7() < uuid7()
