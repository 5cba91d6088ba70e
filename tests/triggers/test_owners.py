"""The hourly check that disables triggers whose owners are lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from access.callers import Caller
from access.handover import administrators, may_administer
from access.models import ApiToken
from access.ownership import GRACE
from agents.access import usable_agents
from agents.models import Agent, Turn
from agents.services.users import users_of_agent, without_access
from tests.factories import make_agent
from tests.owners import agent_of, make_group, make_user, owned_by
from tests.races import ROUNDS, race, race_all
from triggers.models import ScheduleVersion, Trigger
from triggers.services import owners
from triggers.services.lifecycle import (
    delete_trigger,
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.owners import check_owners, disable_ownerless

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Group:
    return make_group("ops")


def lost(trigger: Trigger, ago: timedelta = GRACE) -> Trigger:
    """Let a trigger's owner be lost for some time, by the database's clock."""
    Trigger.objects.filter(pk=trigger.pk).update(owner_lost_at=Now() - ago)
    return trigger


def state(trigger: Trigger) -> tuple[bool, str]:
    trigger.refresh_from_db()
    return trigger.is_active, trigger.disabled_reason


ON = (True, "")
LOST_ACCESS = (False, "owner_lost_access")
GONE = (False, "owner_gone")


def test_a_trigger_whose_owner_lost_the_agent_is_disabled(
    ops: Group, caplog: pytest.LogCaptureFixture
) -> None:
    ben = make_user("ben", ops)
    trigger = owned_by(
        ben,
        agent=agent_of(ops),
        trigger_type="cron",
        schedule_type="daily",
    )
    before = disable_ownerless()
    ben.groups.clear()

    assert (before, disable_ownerless()) == (0, 1)

    assert state(trigger) == LOST_ACCESS
    assert (trigger.next_run_time, trigger.version) == (None, 2)
    assert ScheduleVersion.objects.get(valid_to=None).is_active is False
    assert f"Trigger {trigger.pk} was disabled: owner_lost_access" in caplog.messages


def test_an_agent_that_gets_a_group_is_lost_for_others(ops: Group) -> None:
    trigger = owned_by(make_user("ben"))
    trigger.agent.groups.add(ops)

    assert disable_ownerless() == 1
    assert state(trigger) == LOST_ACCESS


@pytest.mark.parametrize("role", ["superuser", "member", "no_group"])
def test_an_owner_who_may_use_the_agent_keeps_it_on(ops: Group, role: str) -> None:
    ben = make_user(
        "ben", *([ops] if role == "member" else []), is_superuser=role == "superuser"
    )
    agent = make_agent() if role == "no_group" else agent_of(ops, make_group("dev"))
    trigger = owned_by(ben, agent=agent)

    assert disable_ownerless() == 0
    assert state(trigger) == ON


def test_a_trigger_without_owner_is_not_checked(ops: Group) -> None:
    trigger = owned_by(None, agent=agent_of(ops))
    trigger.owner_groups.set([make_group("empty")])

    assert disable_ownerless() == 0
    assert state(trigger) == ON


@pytest.mark.parametrize("is_deleted", [True, False])
@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(0), ON),
        (GRACE - timedelta(seconds=30), ON),
        (GRACE, GONE),
        (GRACE + timedelta(days=30), GONE),
    ],
)
def test_a_trigger_of_a_closed_account_goes_on_for_seven_days(
    ago: timedelta, expected: tuple[bool, str], is_deleted: bool
) -> None:
    ben = make_user("ben", is_active=False)
    trigger = lost(owned_by(ben), ago)
    if is_deleted:
        ben.delete()

    disable_ownerless()

    assert state(trigger) == expected


def test_a_closed_account_has_seven_days_also_if_it_lost_the_agent(ops: Group) -> None:
    trigger = owned_by(make_user("ben", is_active=False), agent=agent_of(ops))

    check_owners()

    assert state(trigger) == ON
    assert trigger.owner_lost_at is not None


def test_an_account_that_is_active_again_is_not_gone() -> None:
    trigger = lost(owned_by(make_user("ben")))

    check_owners()

    assert state(trigger) == ON
    assert trigger.owner_lost_at is None


@pytest.mark.parametrize("is_gone", [True, False])
@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ({"is_active": True}, True),
        ({"is_active": False}, False),
        ({"is_active": True, "may_use": False}, False),
        ({"is_active": True, "may_use": False, "is_superuser": True}, True),
        (None, False),
    ],
)
def test_an_active_member_of_an_owner_group_who_may_use_the_agent_keeps_it_on(
    ops: Group, member: dict[str, Any] | None, expected: bool, is_gone: bool
) -> None:
    writers = make_group("writers")
    if member is not None:
        fields = dict(member)
        may_use = fields.pop("may_use", True)
        make_user("cleo", writers, *([ops] if may_use else []), **fields)
    make_user("dan", ops)
    trigger = owned_by(make_user("ben", is_active=not is_gone), agent=agent_of(ops))
    trigger.owner_groups.set([writers])
    lost(trigger)

    disable_ownerless()

    assert trigger.owner_groups.count() == 1
    assert state(trigger)[0] is expected


def test_paused_disabled_and_deleted_triggers_are_left_alone() -> None:
    ben = make_user("ben", is_active=False)
    paused, off, deleted, over = (lost(owned_by(ben)) for _ in range(4))
    tomorrow = timezone.now() + timedelta(days=1)
    update_trigger(trigger_id=paused.pk, fields={"paused_until": tomorrow})
    disable_trigger(trigger_id=off.pk)
    delete_trigger(trigger_id=deleted.pk)
    Trigger.objects.filter(pk=over.pk).update(paused_until=Now())

    assert disable_ownerless() == 1

    assert state(paused) == ON
    assert state(off) == (False, "by hand")
    assert state(deleted) == (False, "")
    assert state(over) == GONE


def test_a_trigger_that_is_enabled_without_another_owner_is_disabled_again() -> None:
    trigger = lost(owned_by(make_user("ben", is_active=False)))
    disable_ownerless()
    enable_trigger(trigger_id=trigger.pk)

    assert disable_ownerless() == 1
    assert state(trigger) == GONE


def test_the_check_runs_once_an_hour(ops: Group) -> None:
    ben = make_user("ben")
    first = owned_by(ben, agent=agent_of(ops))
    done = [check_owners()]
    second = owned_by(ben, agent=first.agent)
    done.append(check_owners())
    kept = state(second)
    left = Turn.objects.get(name=owners.TURN).next_at - timezone.now()
    Turn.objects.update(next_at=Now())

    done.append(check_owners())

    assert done == [1, 0, 1]
    assert kept == ON
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert state(second) == LOST_ACCESS


def test_many_triggers_are_disabled_in_several_sweeps(
    ops: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "PAGE", 2)
    monkeypatch.setattr(owners, "MAX_DISABLED", 3)
    ben, agent = make_user("ben"), agent_of(ops)
    for number in range(10):
        owned_by(ben, agent=make_agent() if number % 2 else agent)

    assert [check_owners() for _ in range(3)] == [3, 2, 0]
    assert Trigger.objects.filter(is_active=False).count() == 5


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_costs_the_same_queries_for_any_number_of_triggers_and_owners(
    count: int, ops: Group, django_assert_num_queries: Any
) -> None:
    agent = agent_of(ops)
    make_user("member", ops)
    for number in range(count):
        trigger = owned_by(make_user(f"ben{number}"), agent=agent)
        trigger.owner_groups.set([ops])
        lost(owned_by(make_user(f"cleo{number}", is_active=False)), timedelta(0))

    with django_assert_num_queries(6):
        assert disable_ownerless() == 0


def test_all_queries_of_who_may_use_an_agent_agree(admin: User) -> None:
    groups = [make_group(name) for name in "abc"]
    subsets = [s for n in range(4) for s in itertools.combinations(groups, n)]
    agents = [agent_of(*subset) for subset in subsets]
    users = [make_user(f"user{n}", *subset) for n, subset in enumerate(subsets)]
    shut = make_user("shut", *groups, is_active=False)
    found = Agent.objects.annotate(
        users=ArraySubquery(users_of_agent(OuterRef("pk")).values("pk"))
    )
    users_of = dict(found.values_list("pk", "users"))

    for agent in agents:
        expected = {u.pk for u in (admin, *users) if agent in usable_agents(Caller(u))}
        owned = {u: owned_by(u, agent=agent) for u in (admin, *users)}
        closed = set(without_access(Trigger.objects.all(), user="owner"))

        assert set(users_of[agent.pk]) == expected
        assert {u.pk for u, t in owned.items() if t not in closed} == expected
        Trigger.objects.all().delete()
    assert shut.pk not in itertools.chain(*users_of.values())


@pytest.mark.parametrize("way", ["user", "group", "superuser"])
def test_an_administrator_may_use_every_agent(ops: Group, way: str) -> None:
    kind = ContentType.objects.get_for_model(ApiToken)
    permission = Permission.objects.get_or_create(
        content_type=kind, codename="administer"
    )[0]
    ben = make_user("ben", is_superuser=way == "superuser")
    make_user("cleo")
    if way == "user":
        ben.user_permissions.add(permission)
    if way == "group":
        admins = make_group("admins")
        admins.permissions.add(permission)
        ben.groups.add(admins)
    own, foreign = (owned_by(u, agent=agent_of(ops)) for u in User.objects.all())
    together = owned_by(make_user("dan"), agent=agent_of(ops))
    team = make_group("team")
    ben.groups.add(team)
    together.owner_groups.add(team)

    assert may_administer(User.objects.get(pk=ben.pk))
    assert set(administrators().values_list("pk", flat=True)) == {ben.pk}
    assert disable_ownerless() == 1
    assert [state(own), state(foreign), state(together)] == [ON, LOST_ACCESS, ON]


@pytest.mark.django_db(transaction=True)
def test_checks_at_the_same_time_disable_a_trigger_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ben = make_user("ben", is_active=False)
    for _ in range(ROUNDS):
        trigger = lost(owned_by(ben))

        counts = race(disable_ownerless, threads=3)

        assert sum(counts) == 1
        assert state(trigger) == GONE
        assert trigger.version == 2
    assert len(caplog.messages) == ROUNDS


@pytest.mark.django_db(transaction=True)
def test_a_trigger_that_is_handed_over_during_the_check_stays_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ben, cleo = make_user("ben", is_active=False), make_user("cleo")
    trigger = lost(owned_by(ben))
    find = owners.ownerless
    calls = []

    def hand_over_after_the_first_look(rows: Any) -> Any:
        found = find(rows)
        calls.append(found)
        if len(calls) == 1:
            update_trigger(trigger_id=trigger.pk, fields={"owner": cleo})
        return found

    monkeypatch.setattr(owners, "ownerless", hand_over_after_the_first_look)

    assert disable_ownerless() == 0
    assert calls == [{trigger.pk: "owner_gone"}, {}]
    assert state(trigger) == ON


@pytest.mark.django_db(transaction=True)
def test_a_check_and_a_hand_over_at_once_lose_no_change() -> None:
    ben, cleo = make_user("ben", is_active=False), make_user("cleo")
    for _ in range(ROUNDS):
        trigger = lost(owned_by(ben))
        fields = {"owner": cleo}
        move = partial(update_trigger, trigger_id=trigger.pk, fields=fields)
        acts: list[Callable[[], object]] = [disable_ownerless, move]

        disabled, _ = race_all(acts)

        assert state(trigger) == (GONE if disabled else ON)
        assert (trigger.owner, trigger.version) == (cleo, 3 if disabled else 2)
