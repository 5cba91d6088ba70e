"""The owners of rows whose accounts are closed, reopened or handed over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.test import APIClient

from access import ownership
from access.handover import HandOver, NotAnOwner, hand_over, may_hand_over
from access.ownership import count_owned, counts_text, refresh_lost_owners
from agents.models import Agent
from tests.access.audits import changes_of, values_of
from tests.factories import make_agent, make_trigger
from tests.owners import agent_of, make_group, make_user, owned_by
from tests.races import ROUNDS, race_all
from triggers.models import Trigger
from triggers.services.lifecycle import delete_trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def ben() -> User:
    return make_user("ben")


def close(user: User) -> None:
    user.is_active = False
    user.save()


def test_a_deactivated_owner_is_noted_and_warned_of_once_after_the_commit(
    ben: User, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    trigger = owned_by(ben)
    agent = make_agent(owner=ben)

    with django_capture_on_commit_callbacks() as callbacks:
        close(ben)
        close(ben)
    before = list(caplog.messages)
    for callback in callbacks:
        callback()

    trigger.refresh_from_db()
    agent.refresh_from_db()
    assert trigger.owner_lost_at is not None
    assert agent.owner_lost_at is not None
    assert (trigger.owner, trigger.is_active) == (ben, True)
    assert before == []
    [message] = caplog.messages
    assert message == (
        f"The account of user {ben.pk} was closed; it owns 1 agent ({agent.pk}) and "
        f"1 trigger ({trigger.pk}). Set another owner: triggers without an active "
        "owner are disabled after 7 days."
    )
    assert caplog.records[0].levelno == logging.WARNING


def test_a_deleted_owner_is_noted_in_the_transaction_that_deletes_it(ben: User) -> None:
    trigger = owned_by(ben)

    with transaction.atomic():
        ben.delete()
        transaction.set_rollback(True)
    trigger.refresh_from_db()
    kept = (trigger.owner_id, trigger.owner_lost_at)
    User.objects.filter(username="ben").delete()

    trigger.refresh_from_db()
    assert kept == (ben.pk or kept[0], None)
    assert trigger.owner is None
    assert trigger.owner_lost_at is not None


def test_the_time_of_the_deactivation_survives_the_deletion(ben: User) -> None:
    trigger = owned_by(ben)
    close(ben)
    trigger.refresh_from_db()
    since = trigger.owner_lost_at

    ben.delete()

    trigger.refresh_from_db()
    assert trigger.owner_lost_at == since is not None


def test_an_account_that_is_active_again_owns_its_rows(ben: User) -> None:
    trigger = owned_by(ben)
    close(ben)

    ben.is_active = True
    ben.save()

    trigger.refresh_from_db()
    assert (trigger.owner, trigger.owner_lost_at) == (ben, None)


def test_many_rows_are_noted_in_batches_and_some_ids_logged(
    ben: User,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    monkeypatch.setattr(ownership, "BATCH", 2)
    monkeypatch.setattr(ownership, "MAX_LOGGED_IDS", 2)
    ids = sorted(str(owned_by(ben).pk) for _ in range(5))

    with django_capture_on_commit_callbacks(execute=True):
        close(ben)

    assert not Trigger.objects.filter(owner_lost_at=None).exists()
    [message] = caplog.messages
    assert f"5 triggers ({ids[0]}, {ids[1]}, …)" in message


def test_a_login_or_a_new_name_makes_no_query_of_owners(
    ben: User, django_assert_num_queries: Any
) -> None:
    owned_by(ben)

    with django_assert_num_queries(1):
        ben.save(update_fields=["last_login"])


def test_rows_of_others_and_deleted_triggers_are_not_touched(ben: User) -> None:
    other = owned_by(make_user("cleo"))
    deleted = owned_by(ben)
    delete_trigger(trigger_id=deleted.pk)

    close(ben)

    assert not Trigger.objects.exclude(owner_lost_at=None).exists()
    assert count_owned(ben) == {}
    assert count_owned(other.owner) == {"triggers": 1}


def test_an_update_of_many_accounts_is_noted_by_the_check(
    ben: User, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    trigger = owned_by(ben)
    User.objects.update(is_active=False)

    with django_capture_on_commit_callbacks(execute=True):
        refresh_lost_owners()
        refresh_lost_owners()
    trigger.refresh_from_db()
    lost_at = trigger.owner_lost_at
    User.objects.update(is_active=True)
    refresh_lost_owners()

    trigger.refresh_from_db()
    assert lost_at is not None
    assert trigger.owner_lost_at is None
    assert len(caplog.messages) == 1


def test_owners_members_and_administrators_may_hand_over(
    ben: User, admin: User
) -> None:
    writers = make_group("writers")
    trigger = owned_by(ben)
    trigger.owner_groups.set([writers])
    member = make_user("cleo", writers)
    closed = make_user("dan", is_superuser=True, is_active=False)

    people = [ben, member, admin, make_user("eva"), closed]

    allowed = [may_hand_over(person, trigger) for person in people]
    assert allowed == [True, True, True, False, False]


def test_a_row_that_never_had_an_owner_is_for_administrators(
    ben: User, admin: User
) -> None:
    trigger = owned_by(None)

    assert may_hand_over(admin, trigger)
    assert not may_hand_over(ben, trigger)


def test_all_rows_are_handed_over_except_those_of_closed_agents(
    ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "BATCH", 2)
    writers = make_group("writers")
    cleo = make_user("cleo")
    close(ben)
    closed = [owned_by(ben, agent=agent_of(writers)) for _ in range(2)]
    opened = [owned_by(ben) for _ in range(5)]
    agent = make_agent(owner=ben)
    foreign = owned_by(make_user("dan"))

    done = hand_over(previous=ben, new_owner=cleo)

    assert done == HandOver(moved=6, left_out=2)
    moved = Trigger.objects.filter(owner=cleo)
    assert set(moved) == set(opened)
    assert {(t.version, t.owner_lost_at) for t in moved} == {(2, None)}
    assert set(Trigger.objects.filter(owner=ben)) == set(closed)
    assert Agent.objects.get(owner=cleo) == agent
    foreign.refresh_from_db()
    assert foreign.owner != cleo


def test_rows_of_deleted_accounts_are_handed_over_but_not_those_without_owner(
    ben: User,
) -> None:
    never = owned_by(None)
    lost = owned_by(ben)
    ben.delete()
    cleo = make_user("cleo")

    done = hand_over(previous=None, new_owner=cleo)

    lost.refresh_from_db()
    never.refresh_from_db()
    assert done == HandOver(moved=1, left_out=0)
    assert (lost.owner, lost.owner_lost_at) == (cleo, None)
    assert never.owner is None


@pytest.mark.parametrize("active", [True, False])
def test_nothing_is_handed_over_to_the_same_or_a_closed_account(
    ben: User, active: bool
) -> None:
    owned_by(ben)
    new = ben if active else make_user("cleo", is_active=False)

    with pytest.raises(NotAnOwner):
        hand_over(previous=ben, new_owner=new)

    assert Trigger.objects.get().owner == ben


def test_counts_have_words() -> None:
    assert counts_text({"agents": 2, "triggers": 1}) == "2 agents and 1 trigger"
    assert counts_text({"triggers": 1200}) == "1,200 triggers"


@pytest.mark.django_db(transaction=True)
def test_a_hand_over_to_an_account_that_is_deleted_leaves_no_row_behind() -> None:
    trigger = make_trigger()
    for number in range(ROUNDS):
        ben, cleo = make_user(f"ben{number}"), make_user(f"cleo{number}")
        Trigger.objects.update(owner=ben, owner_lost_at=None)

        def move(ben: User = ben, cleo: User = cleo) -> None:
            with suppress(NotAnOwner):
                hand_over(previous=ben, new_owner=cleo)

        acts: list[Callable[[], object]] = [
            move,
            User.objects.filter(pk=cleo.pk).delete,
        ]

        race_all(acts)

        trigger.refresh_from_db()
        lost = (trigger.owner is None, trigger.owner_lost_at is not None)
        assert lost == (True, True) or trigger.owner == ben


def test_a_hand_over_and_a_change_of_the_groups_are_in_the_audit_log(
    ben: User, api: APIClient
) -> None:
    triggers, cleo = [owned_by(ben), owned_by(ben)], make_user("cleo")
    make_group("ops")

    hand_over(previous=ben, new_owner=cleo)
    url = f"/api/v1/triggers/{triggers[0].pk}"
    assert api.patch(url, {"owner_groups": ["ops"]}).status_code == 200

    handed = [changes_of(trigger)[1] for trigger in triggers]
    assert [values_of(change)["owner_id"] for change in handed] == [
        (ben.pk, cleo.pk)
    ] * 2
    assert {change.reason for change in handed} == {"handed over"}
    assert values_of(changes_of(triggers[0])[2])["owner_groups"] == ([], ["ops"])
