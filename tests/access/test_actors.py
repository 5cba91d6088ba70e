from __future__ import annotations

import asyncio
import sys
from threading import Barrier

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse

import manage
from access.actors import (
    SYSTEM,
    ActingRequests,
    Actor,
    ActorKind,
    acting_as,
    actor_of_command,
    because,
    current_actor,
    current_reason,
    current_records,
    joining_changes,
)
from access.models import ApiToken
from tests.access.audits import actor_of, last_of
from tests.races import ROUNDS, race_all


def request_of(user: User | AnonymousUser, *, prefix: str = "") -> HttpRequest:
    request = HttpRequest()
    request.user = user
    if prefix:
        request.auth = ApiToken(prefix=prefix)  # type: ignore[attr-defined]  # as DRF does
    return request


def actor_seen(request: HttpRequest) -> Actor:
    """Return the current actor while the request is handled."""
    seen = []

    def view(_: HttpRequest) -> HttpResponse:
        seen.append(current_actor())
        return HttpResponse()

    ActingRequests(view)(request)
    return seen[0]


def test_a_request_acts_for_its_user_or_key() -> None:
    ana = User(pk=7, username="ana")

    assert actor_seen(request_of(ana)) == Actor(
        kind=ActorKind.USER, name="ana", user_id=7
    )
    assert actor_seen(request_of(ana, prefix="0a1b")) == Actor(
        kind=ActorKind.KEY, name="ana", user_id=7, key_prefix="0a1b"
    )
    assert actor_seen(request_of(AnonymousUser())) == SYSTEM
    assert actor_seen(HttpRequest()) == SYSTEM


def test_the_user_is_the_one_that_the_view_authenticates() -> None:
    request = request_of(AnonymousUser())
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        request.user = User(pk=7, username="ana")
        seen.append(current_actor().name)
        return HttpResponse()

    ActingRequests(view)(request)

    assert seen == ["ana"]


def test_nothing_of_a_request_is_left_for_the_next_one() -> None:
    def view(_: HttpRequest) -> HttpResponse:
        records = current_records()
        assert records == {}
        records["trigger", "1"] = None  # type: ignore[assignment]
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            ActingRequests(view)(request_of(User(pk=7, username="ana")))

    assert (current_actor(), current_records()) == (SYSTEM, None)


def test_requests_in_other_threads_have_actors_of_their_own() -> None:
    users = [User(pk=number, username=f"user-{number}") for number in range(8)]
    inside = Barrier(len(users), timeout=30)

    def handle(user: User) -> str:
        seen = []

        def view(_: HttpRequest) -> HttpResponse:
            inside.wait()
            seen.append(current_actor().name)
            return HttpResponse()

        ActingRequests(view)(request_of(user))
        assert current_actor() == SYSTEM
        return seen[0]

    for _ in range(ROUNDS):
        names = race_all([lambda user=user: handle(user) for user in users])  # type: ignore[misc]
        assert names == [user.username for user in users]


def test_coroutines_have_actors_of_their_own() -> None:
    async def act(name: str) -> str:
        with acting_as(Actor(kind=ActorKind.COMMAND, name=name)):
            await asyncio.sleep(0)
            return current_actor().name

    async def main() -> list[str]:
        return await asyncio.gather(*map(act, "abc"))

    assert asyncio.run(main()) == ["a", "b", "c"]
    assert current_actor() == SYSTEM


def test_an_inner_reason_replaces_the_outer_one() -> None:
    with because("outer"):
        with because("inner"):
            assert current_reason() == "inner"
        assert current_reason() == "outer"
    assert current_reason() == ""


def test_an_inner_block_joins_its_changes_to_the_outer_one() -> None:
    with joining_changes():
        outer = current_records()
        with joining_changes():
            assert current_records() is outer
        assert current_records() is outer
    assert current_records() is None


@pytest.mark.parametrize(
    ("argv", "name"),
    [(["manage.py", "migrate", "--plan"], "migrate"), (["bin/manage.py"], "manage.py")],
)
def test_a_command_acts_by_its_name(argv: list[str], name: str) -> None:
    assert actor_of_command(argv) == Actor(kind=ActorKind.COMMAND, name=name)


@pytest.mark.django_db
def test_what_manage_py_runs_is_recorded_as_its_command(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "create_api_token", "ana"])
    monkeypatch.setattr(manage, "use_running_stack", lambda: None)
    monkeypatch.setattr(
        manage, "execute_from_command_line", lambda argv: call_command(*argv[1:])
    )

    manage.main()

    token = ApiToken.objects.get()
    created = last_of(token, number=1)
    assert actor_of(created) == ("command", "create_api_token", "")
    assert current_actor() == SYSTEM
