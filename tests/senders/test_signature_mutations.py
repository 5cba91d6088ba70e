from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from senders.signatures import InvalidSignature, contents, shared_secrets
from tests.chaos.scale import IS_LONG, dice
from tests.senders.mutations import damage_header, damage_rest, is_harmless
from tests.senders.signed_requests import Request, signed_requests
from tests.senders.test_signature_vectors import VECTORS, request_of

VALID = [
    *signed_requests(),
    *(request_of(vector, vector["now"]) for vector in VECTORS if vector["valid"]),
]

Damage = Callable[[random.Random, Request], Request]


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


def damage_one_header(chance: random.Random, request: Request) -> Request:
    strange = [
        value
        for other in VALID
        if (other.secret, other.body) != (request.secret, request.body)
        for value in other.headers.values()
    ]
    return damage_header(chance, request, strange)


def test_damaged_headers_are_refused_and_nothing_else_is_raised() -> None:
    rounds = 100_000

    accepted = count_accepted(damage_one_header, seed=1, rounds=rounds)

    assert 0 < accepted < rounds / 2


def test_damaged_bodies_urls_and_secrets_are_refused() -> None:
    rounds = 20_000

    accepted = count_accepted(damage_rest, seed=1, rounds=rounds)

    assert 0 < accepted < rounds / 2


@pytest.mark.chaos
def test_chance_finds_no_false_accept_either() -> None:
    seed = random.SystemRandom().randrange(10**9)
    rounds = 1_000_000 if IS_LONG else 20_000

    for damage in (damage_one_header, damage_rest):
        assert count_accepted(damage, seed=seed, rounds=rounds) > 0, seed


def test_the_oracle_knows_a_harmless_change_from_a_harmful_one() -> None:
    [request] = [one for one in signed_requests() if one.slug == "stripe"]
    [(name, value)] = request.headers.items()
    spaced = Request(slug="stripe", headers={name.upper(): value.replace(",", " , ")})
    later = Request(slug="stripe", headers={name: value.replace("t=1", "t=2")})

    assert is_harmless(request, spaced)
    assert not is_harmless(request, later)


@pytest.mark.parametrize("error", [RuntimeError, KeyError, ValueError])
def test_a_mistake_of_the_program_is_not_a_bad_signature(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_arguments: object, **_named: object) -> list[bytes]:
        raise error("a mistake")

    monkeypatch.setattr(shared_secrets, "signed_contents", mistaken)
    monkeypatch.setattr(contents, "signed_contents", mistaken)
    [request] = [one for one in signed_requests() if one.slug == "github"]

    with pytest.raises(error, match="a mistake"):
        request.verify()
