"""The owners of triggers in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from tests.factories import make_agent
from tests.owners import agent_of, make_group, make_user, owned_by, permit
from tests.triggers.test_admin import ADD, LIST, filled, page_of
from triggers.models import OwnerReason, Trigger
from triggers.services.lifecycle import disable_trigger
from triggers.services.owners import disable_ownerless

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Group:
    return make_group("ops")


@pytest.fixture
def ben() -> User:
    user = make_user("ben", is_staff=True)
    return permit(user, "add_trigger", "change_trigger", "view_trigger", "view_agent")


@pytest.fixture
def pages(client: Client, ben: User) -> Client:
    client.force_login(ben)
    return client


@pytest.fixture
def admin_pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def owners_of(trigger: Trigger) -> tuple[User | None, list[Group]]:
    trigger.refresh_from_db()
    return trigger.owner, list(trigger.owner_groups.all())


def form_of(response: Any) -> Any:
    return response.context["adminform"].form


def listed(pages: Client, **query: str | int) -> list[str]:
    response = pages.get(reverse(LIST), query)
    return [trigger.name for trigger in response.context["cl"].result_list]


def test_the_creating_user_owns_a_new_trigger(pages: Client, ben: User) -> None:
    page = pages.get(reverse(ADD))
    pages.post(reverse(ADD), filled(agent=make_agent().pk))

    assert form_of(page).initial["owner"] == ben.pk
    assert owners_of(Trigger.objects.get()) == (ben, [])


def test_a_trigger_is_created_with_the_owners_that_the_form_names(
    admin_pages: Client, ops: Group
) -> None:
    cleo = make_user("cleo")
    named = filled(agent=make_agent().pk, owner=cleo.pk, owner_groups=[ops.pk])
    without = filled(agent=make_agent().pk, owner="", name="without")

    admin_pages.post(reverse(ADD), named)
    admin_pages.post(reverse(ADD), without)

    assert owners_of(Trigger.objects.get(name="nightly")) == (cleo, [ops])
    assert owners_of(Trigger.objects.get(name="without")) == (None, [])


def test_an_owner_hands_a_trigger_over(pages: Client, ben: User, ops: Group) -> None:
    permit(ben, "view_user", "view_group")
    cleo = make_user("cleo")
    trigger = owned_by(ben)
    sent = filled(agent=trigger.agent_id, owner=cleo.pk, owner_groups=[ops.pk])

    response = pages.post(page_of(trigger), sent)

    assert response.status_code == 302
    assert owners_of(trigger) == (cleo, [ops])


def test_a_page_without_the_owner_keeps_the_owners(
    admin_pages: Client, ben: User, ops: Group
) -> None:
    trigger = owned_by(ben)
    trigger.owner_groups.add(ops)

    admin_pages.post(page_of(trigger), filled(agent=trigger.agent_id))

    assert owners_of(trigger) == (ben, [ops])
    assert trigger.name == "nightly"


def test_who_does_not_own_a_trigger_sees_its_owner_and_changes_the_rest(
    pages: Client, ben: User, ops: Group
) -> None:
    cleo = make_user("cleo")
    trigger, team = owned_by(cleo), make_group("team")
    trigger.owner_groups.add(team)
    sent = filled(agent=trigger.agent_id, owner=ben.pk, owner_groups=[ops.pk])

    page = pages.get(page_of(trigger))
    pages.post(page_of(trigger), sent)

    assertContains(page, "cleo")
    assertContains(page, "Owned together with")
    assertContains(page, "team")
    assertNotContains(page, 'name="owner"')
    assertNotContains(page, 'name="owner_groups"')
    assert owners_of(trigger) == (cleo, [team])
    assert trigger.name == "nightly"


def test_who_may_not_view_users_chooses_among_themselves_and_their_groups(
    pages: Client, ben: User, ops: Group
) -> None:
    team = make_group("team")
    ben.groups.add(team)
    cleo = make_user("cleo")
    trigger = owned_by(cleo)
    trigger.owner_groups.set([team])

    form = form_of(pages.get(page_of(trigger)))
    refused = pages.post(
        page_of(trigger), filled(agent=trigger.agent_id, owner=make_user("dan").pk)
    )

    assert set(form.fields["owner"].queryset) == {ben, cleo}
    assert list(form.fields["owner_groups"].queryset) == [team]
    assert list(form_of(refused).errors) == ["owner"]
    assert owners_of(trigger) == (cleo, [team])


def test_an_owner_who_may_not_use_the_agent_is_refused_at_the_field(
    admin_pages: Client, ops: Group, ben: User
) -> None:
    trigger = owned_by(None, agent=agent_of(ops))

    response = admin_pages.post(
        page_of(trigger), filled(agent=trigger.agent_id, owner=ben.pk)
    )

    assert list(form_of(response).errors) == ["owner"]
    assert owners_of(trigger) == (None, [])


def test_a_closed_account_stays_the_owner_when_other_fields_change(
    admin_pages: Client,
) -> None:
    shut = make_user("shut", is_active=False)
    trigger = owned_by(shut)
    sent = filled(agent=trigger.agent_id, owner=shut.pk)

    assert admin_pages.post(page_of(trigger), sent).status_code == 302
    assert owners_of(trigger) == (shut, [])


def test_only_active_users_are_offered(admin_pages: Client, admin: User) -> None:
    make_user("shut", is_active=False)
    place = {"app_label": "triggers", "model_name": "trigger", "field_name": "owner"}

    offered = admin_pages.get(reverse("admin:autocomplete"), place).json()["results"]

    assert [user["text"] for user in offered] == ["ana"]


def test_the_page_says_since_when_the_owner_is_lost(
    admin_pages: Client, ben: User
) -> None:
    trigger = owned_by(ben)
    before = admin_pages.get(page_of(trigger))
    ben.delete()

    page = admin_pages.get(page_of(trigger))

    assertNotContains(before, "Without an active owner since")
    assertContains(page, "Without an active owner since")
    assertContains(page, "After 7 days it switches off, unless a member of its owner")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (OwnerReason.LOST_ACCESS, "Its owner may not use the agent any more."),
        (OwnerReason.GONE, "It had no active owner for 7 days."),
    ],
)
def test_the_page_and_the_list_say_why_a_trigger_is_off(
    admin_pages: Client, ops: Group, reason: OwnerReason, text: str
) -> None:
    is_gone = reason == OwnerReason.GONE
    trigger = owned_by(
        make_user("cleo", is_active=not is_gone), agent=agent_of(ops), name="orders"
    )
    Trigger.objects.update(owner_lost_at=Now(), created_at=Now())
    disable_trigger(trigger_id=trigger.pk, reason=reason)
    other = owned_by(None, name="other")
    disable_trigger(trigger_id=other.pk, reason="by some_body")

    page = admin_pages.get(page_of(trigger))

    assertContains(page, text)
    assertContains(page, "off, lost its owner")
    assertContains(admin_pages.get(page_of(other)), "by some_body")
    assert listed(admin_pages, state="owner-lost") == ["orders"]
    assert listed(admin_pages, state="disabled") == ["other"]
    assert disable_ownerless() == 0


def test_the_list_is_filtered_by_ownership(
    admin_pages: Client, admin: User, ben: User, ops: Group
) -> None:
    admin.groups.add(ops)
    owned_by(admin, name="own")
    shared = owned_by(ben, name="shared")
    shared.owner_groups.add(ops)
    owned_by(make_user("cleo"), name="lost")
    owned_by(None, name="never")
    User.objects.get(username="cleo").delete()

    assert sorted(listed(admin_pages, ownership="mine")) == ["own", "shared"]
    assert listed(admin_pages, ownership="lost") == ["lost"]
    assert listed(admin_pages, ownership="none") == ["never"]
    assert listed(admin_pages, owner__id__exact=ben.pk) == ["shared"]


def test_who_may_not_view_users_has_no_filter_by_owner(pages: Client) -> None:
    owned_by(None, name="orders")

    page = pages.get(reverse(LIST))

    assert page.status_code == 200
    assert not any(
        getattr(spec, "field_path", "") == "owner"
        for spec in page.context["cl"].filter_specs
    )
