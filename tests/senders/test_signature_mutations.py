from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from senders.signatures import InvalidSignature, verification
from tests.chaos.scale import IS_LONG, dice
from tests.senders.mutations import (
    damage_header,
    damage_rest,
    is_harmless,
    minimal_requests,
)
from tests.senders.requests import Sent
from tests.senders.table import signed
from tests.senders.test_signature_vectors import VECTORS, request_of

VALID = [
    *minimal_requests(),
    *(request_of(vector, vector["now"]) for vector in VECTORS if vector["valid"]),
]

Damage = Callable[[random.Random, Sent], Sent]


def count_accepted(damage: Damage, *, seed: int, rounds: int) -> int:
    """Damage requests and verify them; fail on a false accept or another error."""
    chance, accepted = dice(seed), 0
    for number in range(rounds):
        request = VALID[number % len(VALID)]
        damaged = damage(chance, request)
        try:
            damaged.verify()
        except InvalidSignature:
            continue
        assert is_harmless(request, damaged), (request, damaged)
        accepted += 1
    return accepted


def damage_one_header(chance: random.Random, request: Sent) -> Sent:
    values_of_others = [
        value
        for other in VALID
        if (other.secret, other.body) != (request.secret, request.body)
        for value in other.headers.values()
    ]
    return damage_header(chance, request, values_of_others)


@pytest.mark.parametrize("damage", [damage_one_header, damage_rest])
def test_damaged_requests_are_rejected_and_nothing_else_is_raised(
    damage: Damage,
) -> None:
    rounds = 1_500

    accepted = count_accepted(damage, seed=1, rounds=rounds)

    assert 0 < accepted < rounds / 2


@pytest.mark.chaos
@pytest.mark.parametrize("damage", [damage_one_header, damage_rest])
def test_random_damage_finds_no_false_accept(damage: Damage) -> None:
    seed = random.SystemRandom().randrange(10**9)
    rounds = 1_000_000 if IS_LONG else 1_500

    assert count_accepted(damage, seed=seed, rounds=rounds) > 0, seed


def test_the_oracle_distinguishes_a_harmless_change_from_a_harmful_one() -> None:
    request = signed("stripe")
    [(name, value)] = request.headers.items()
    spaced = request.but(headers={name.upper(): value.replace(",", " , ")})
    later = request.but(headers={name: value.replace("t=1", "t=2")})

    assert is_harmless(request, spaced)
    assert not is_harmless(request, later)


@pytest.mark.parametrize("error", [RuntimeError, KeyError, ValueError])
def test_a_bug_is_not_reported_as_an_invalid_signature(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> list[bytes]:
        raise error("a bug")

    monkeypatch.setattr(verification, "signed_contents", fail)

    with pytest.raises(error, match="a bug"):
        signed("github").verify()
