"""The page that hands over what an account owns, and the pages that link to it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from agents.models import Agent
from tests.factories import make_agent
from tests.owners import agent_of, make_group, make_user, owned_by, permit
from tests.triggers.test_admin import messages_of
from triggers.admin import handover
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

DELETED = "/admin/auth/user/deleted/hand-over/"


@pytest.fixture
def ops() -> Group:
    return make_group("ops")


@pytest.fixture
def ben() -> User:
    return make_user("ben")


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def url_of(user: User, page: str = "hand_over") -> str:
    return reverse(f"admin:auth_user_{page}", args=[user.pk])


def rows_of(response: Any) -> list[tuple[str, list[str], int]]:
    return [
        (c.user.username, list(c.closed), c.left_out)
        for c in response.context["candidates"]
    ]


def close(pages: Client, user: User) -> Any:
    sent = {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "subject_binding-TOTAL_FORMS": "0",
        "subject_binding-INITIAL_FORMS": "0",
    }
    return pages.post(url_of(user, "change"), sent)


def test_the_page_shows_who_cannot_use_which_agents(
    pages: Client, ben: User, ops: Group
) -> None:
    make_user("cleo", ops)
    make_user("dan")
    make_user("shut", is_active=False)
    closed, other = agent_of(ops), agent_of(make_group("other"))
    Agent.objects.filter(pk=closed.pk).update(name="Invoices", owner=ben)
    Agent.objects.filter(pk=other.pk).update(name="Reports")
    for agent in (closed, closed, other, make_agent()):
        owned_by(ben, agent=agent)

    page = pages.get(url_of(ben))

    assertContains(page, "ben owns 1 agent and 4 triggers.")
    assert rows_of(page) == [
        ("ana", [], 0),
        ("cleo", ["Reports"], 1),
        ("dan", ["Invoices", "Reports"], 4),
    ]


def test_the_page_makes_the_same_queries_for_any_number_of_users_and_rows(
    ben: User, ops: Group, django_assert_num_queries: Any
) -> None:
    for number in range(10):
        make_user(f"user{number}", ops)
        owned_by(ben, agent=agent_of(ops))

    with django_assert_num_queries(4):
        assert len(handover.find_candidates(ben, "")) == 10


def test_all_that_is_possible_is_moved(
    pages: Client, ben: User, ops: Group, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cleo = make_user("cleo")
    closed = owned_by(ben, agent=agent_of(ops))
    opened = [owned_by(ben) for _ in range(3)]

    response = pages.post(url_of(ben), {"new_owner": cleo.pk})

    assert response["Location"] == url_of(ben)
    assert messages_of(response) == [
        "Moved 3, left out 1 (the new owner may not use their agents)."
    ]
    assert set(Trigger.objects.filter(owner=cleo)) == set(opened)
    closed.refresh_from_db()
    assert closed.owner == ben
    assert (
        f"what user {ben.pk} owned to user {cleo.pk}: 3 moved, 1 left out"
        in caplog.text
    )


def test_the_page_of_the_user_follows_when_nothing_is_left(
    pages: Client, ben: User
) -> None:
    owned_by(ben)

    response = pages.post(url_of(ben), {"new_owner": make_user("cleo").pk})
    after = pages.get(url_of(ben))

    assert response["Location"] == url_of(ben, "change")
    assert messages_of(response) == ["Moved 1."]
    assertContains(after, "ben owns nothing.")


@pytest.mark.parametrize(
    ("new_owner", "text"),
    [
        ("", "Choose the new owner."),
        ("99999999", "Choose an active user."),
        ("x", "Choose an active user."),
        ("shut", "Choose an active user."),
        ("ben", "Choose another user"),
    ],
)
def test_a_wrong_choice_moves_nothing(
    pages: Client, ben: User, new_owner: str, text: str
) -> None:
    shut = make_user("shut", is_active=False)
    named = {"shut": shut.pk, "ben": ben.pk}
    trigger = owned_by(ben)

    response = pages.post(
        url_of(ben), {"new_owner": named.get(new_owner, new_owner)}, follow=True
    )

    assertContains(response, text)
    trigger.refresh_from_db()
    assert trigger.owner == ben


def test_users_are_searched_and_at_most_fifty_shown(
    pages: Client, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "MAX_CANDIDATES", 2)
    owned_by(ben)
    for name in ("cleo", "carl"):
        make_user(name)

    first = pages.get(url_of(ben))
    found = pages.get(url_of(ben), {"q": "CLE"})

    assert [name for name, *_ in rows_of(first)] == ["ana", "carl"]
    assertContains(first, "There are more users.")
    assert [name for name, *_ in rows_of(found)] == ["cleo"]
    assertNotContains(found, "There are more users.")
    assertContains(pages.get(url_of(ben), {"q": "a\x00'%"}), "No other active user")


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_administrators_hand_over(client: Client, ben: User, method: str) -> None:
    dan = permit(
        make_user("dan", is_staff=True), "view_user", "change_user", "delete_user"
    )
    client.force_login(dan)
    trigger = owned_by(ben)

    for url in (url_of(ben), DELETED):
        response = getattr(client, method)(url, {"new_owner": dan.pk})
        assert response.status_code == 403

    trigger.refresh_from_db()
    assert trigger.owner == ben


def test_an_unknown_account_is_404(pages: Client) -> None:
    assert pages.get("/admin/auth/user/99999999/hand-over/").status_code == 404


def test_closing_an_account_offers_the_hand_over(pages: Client, ben: User) -> None:
    trigger = owned_by(ben)

    response = close(pages, ben)

    [offer, _] = messages_of(response)
    assert offer.startswith("ben owns 1 trigger.")
    assert url_of(ben) in offer
    trigger.refresh_from_db()
    assert trigger.owner_lost_at is not None


def test_the_page_of_a_user_links_to_what_it_owns(pages: Client, ben: User) -> None:
    before = pages.get(url_of(ben, "change"))
    owned_by(ben)

    page = pages.get(url_of(ben, "change"))

    assertNotContains(before, "Hand over")
    assertContains(page, f'href="{url_of(ben)}"')
    assertContains(page, f"/admin/triggers/trigger/?owner__id__exact={ben.pk}")


def test_deleting_an_account_offers_the_hand_over_first(
    pages: Client, ben: User
) -> None:
    trigger = owned_by(ben)
    list_url = reverse("admin:auth_user_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [ben.pk]}

    asked = pages.get(url_of(ben, "delete"))
    asked_in_bulk = pages.post(list_url, chosen)
    done = pages.post(url_of(ben, "delete"), {"post": "yes"})

    for page in (asked, asked_in_bulk):
        assertContains(page, "ben owns 1 trigger.")
        assertContains(page, url_of(ben))
    assert "owns" not in "".join(messages_of(done))
    trigger.refresh_from_db()
    assert (trigger.owner, trigger.owner_lost_at is None) == (None, False)


def test_what_a_deleted_account_owned_is_handed_over_from_the_list_of_users(
    pages: Client, ben: User
) -> None:
    trigger = owned_by(ben)
    ben.delete()
    cleo = make_user("cleo")

    offered = pages.get(reverse("admin:auth_user_changelist"))
    page = pages.get(DELETED)
    pages.post(DELETED, {"new_owner": cleo.pk})
    after = pages.get(DELETED)

    assertContains(offered, DELETED)
    assertContains(page, "Deleted accounts owned 1 trigger.")
    assertContains(after, "No deleted account owned anything")
    trigger.refresh_from_db()
    assert (trigger.owner, trigger.owner_lost_at) == (cleo, None)


def test_the_path_of_the_page_leads_to_the_user(pages: Client, ben: User) -> None:
    page = pages.get(url_of(ben)).content.decode()
    heading = page.partition("<h1")[2].partition("</h1>")[0]

    assert url_of(ben, "change") in heading
    assert "Hand over" in heading
