"""The owners of triggers in the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from tests.factories import make_agent, make_trigger
from tests.owners import agent_of, make_group, make_user, owned_by, permit
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
REFUSED = (
    "Only the owner, 'cleo', a member of the owner groups, or an Admin may change this"
)


@pytest.fixture
def ops() -> Group:
    return make_group("ops")


@pytest.fixture
def ben() -> User:
    """A user who may add and change triggers."""
    return permit(make_user("ben"), "add_trigger", "change_trigger", "view_trigger")


@pytest.fixture
def client(ben: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(ben)
    return client


def body(**fields: Any) -> dict[str, Any]:
    agent_id = fields.pop("agent_id", None) or make_agent().pk
    return {
        "name": "orders",
        "agent_id": str(agent_id),
        "trigger_type": "manual",
        **fields,
    }


def faults(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 400
    found: list[dict[str, str]] = response.json()["errors"]
    return found


def owners_of(trigger: Trigger) -> tuple[User | None, list[str]]:
    trigger.refresh_from_db()
    return trigger.owner, [group.name for group in trigger.owner_groups.all()]


def test_the_creating_user_owns_a_new_trigger(client: APIClient, ben: User) -> None:
    shown = client.post(URL, body()).json()

    assert (shown["owner"], shown["owner_groups"]) == ("ben", [])
    assert shown["owner_lost_at"] is None
    assert Trigger.objects.get().owner == ben


@pytest.mark.parametrize(
    ("given", "owner", "groups"),
    [
        ({"owner": None}, None, []),
        ({"owner": "cleo"}, "cleo", []),
        ({"owner_groups": ["ops", "dev", "ops"]}, "ben", ["dev", "ops"]),
    ],
)
def test_a_new_trigger_can_have_other_owners(
    client: APIClient, ops: Group, given: dict[str, Any], owner: str, groups: list[str]
) -> None:
    make_group("dev")
    make_user("cleo")

    response = client.post(URL, body(**given))

    assert response.status_code == 201
    shown = response.json()
    assert (shown["owner"], shown["owner_groups"]) == (owner, groups)


def test_triggers_that_programs_create_have_no_owner() -> None:
    assert make_trigger().owner is None


@pytest.mark.parametrize(
    ("given", "pointer", "detail"),
    [
        (
            {"owner": "nemo"},
            "/owner",
            "There is no active user 'nemo'. Give the name with which the user logs in",
        ),
        (
            {"owner": "shut"},
            "/owner",
            "The account 'shut' is not active. Choose an active user",
        ),
        (
            {"owner": "eva"},
            "/owner",
            "The user 'eva' may not use the agent. Choose another user, or add ",
        ),
        ({"owner": ""}, "/owner", "This field may not be blank."),
        ({"owner": 7.5}, "/owner", "There is no active user '7.5'"),
        ({"owner": ["ben"]}, "/owner", "Not a valid string."),
        ({"owner": "a\x00b"}, "/owner", "Null characters are not allowed."),
        ({"owner": "\ud800"}, "/owner", "Surrogate characters are not allowed"),
        ({"owner": "x" * 151}, "/owner", "Ensure this field has no more than 150"),
        ({"owner_groups": None}, "/owner_groups", "This field may not be null."),
        ({"owner_groups": "ops"}, "/owner_groups", "Expected a list of items"),
        (
            {"owner_groups": ["ops", "nemo"]},
            "/owner_groups/1",
            "There is no group 'nemo'",
        ),
        ({"owner_groups": ["a\x00"]}, "/owner_groups/0", "Null characters are not"),
        (
            {"owner_groups": ["ops"] * 51},
            "/owner_groups",
            "Ensure this field has no more than 50 elements.",
        ),
    ],
)
def test_owners_that_are_not_possible_are_refused_at_their_field(
    client: APIClient,
    ben: User,
    ops: Group,
    given: dict[str, Any],
    pointer: str,
    detail: str,
) -> None:
    ben.groups.add(ops)
    agent = agent_of(ops)
    make_user("eva")
    make_user("shut", ops, is_active=False)
    trigger = owned_by(ben, agent=agent)

    responses = [
        client.post(URL, body(agent_id=agent.pk, **given)),
        client.patch(f"{URL}/{trigger.pk}", given),
    ]

    for response in responses:
        [fault] = faults(response)
        assert fault["pointer"] == pointer
        assert fault["detail"].startswith(detail)
    assert owners_of(Trigger.objects.get()) == (ben, [])


def test_all_faults_of_a_body_are_shown_together(client: APIClient) -> None:
    make_user("shut", is_active=False)
    sent = body(owner="shut", conditions={"type": "nonsense"})

    pointers = [fault["pointer"] for fault in faults(client.post(URL, sent))]

    assert "/owner" in pointers
    assert len(pointers) > 1


@pytest.mark.parametrize("role", ["owner", "member", "administrator"])
def test_owners_and_administrators_hand_a_trigger_over(
    client: APIClient, ben: User, role: str
) -> None:
    cleo = make_user("cleo")
    trigger = owned_by(ben if role == "owner" else make_user("dan"))
    if role == "member":
        team = make_group("team")
        ben.groups.add(team)
        trigger.owner_groups.add(team)
    if role == "administrator":
        client.force_authenticate(make_user("ana", is_superuser=True))

    shown = client.patch(f"{URL}/{trigger.pk}", {"owner": "cleo"}).json()

    assert (shown["owner"], shown["version"]) == ("cleo", 2)
    assert owners_of(trigger)[0] == cleo


@pytest.mark.parametrize("field", ["owner", "owner_groups"])
def test_who_may_change_a_trigger_but_does_not_own_it_cannot_hand_it_over(
    client: APIClient, ops: Group, field: str
) -> None:
    cleo = make_user("cleo")
    trigger = owned_by(cleo)
    given: dict[str, Any] = {"owner": "ben", "owner_groups": ["ops"]}

    refused = client.patch(
        f"{URL}/{trigger.pk}", {field: given[field], "name": "renamed"}
    )

    assert faults(refused) == [{"pointer": f"/{field}", "detail": REFUSED}]
    assert owners_of(trigger) == (cleo, [])
    assert trigger.name != "renamed"


def test_who_does_not_own_a_trigger_can_change_its_other_fields(
    client: APIClient, ops: Group
) -> None:
    cleo = make_user("cleo")
    trigger = owned_by(cleo)
    trigger.owner_groups.add(ops)
    same = {"owner": "cleo", "owner_groups": ["ops"]}
    agent_id = trigger.agent_id

    partial = client.patch(f"{URL}/{trigger.pk}", {"description": "new", **same})
    full = client.put(f"{URL}/{trigger.pk}", body(agent_id=agent_id, **same))

    assert (partial.status_code, full.status_code) == (200, 200)
    assert owners_of(trigger) == (cleo, ["ops"])


def test_a_put_without_owners_keeps_them(client: APIClient, ops: Group) -> None:
    cleo = make_user("cleo")
    trigger = owned_by(cleo)
    trigger.owner_groups.add(ops)

    response = client.put(f"{URL}/{trigger.pk}", body(agent_id=trigger.agent_id))

    assert response.status_code == 200
    assert owners_of(trigger) == (cleo, ["ops"])


def test_only_an_administrator_sets_the_owner_of_a_trigger_without_one(
    client: APIClient, api: APIClient
) -> None:
    trigger = owned_by(None)
    url = f"{URL}/{trigger.pk}"

    refused = client.patch(url, {"owner": "ben"})
    done = api.patch(url, {"owner": "ben"})

    assert faults(refused) == [
        {
            "pointer": "/owner",
            "detail": (
                "Only an Admin, or a member of its owner groups, may change this"
            ),
        }
    ]
    assert done.json()["owner"] == "ben"


def test_a_lost_owner_is_shown_and_another_one_ends_it(
    api: APIClient, ben: User
) -> None:
    trigger = owned_by(ben)
    ben.delete()
    url = f"{URL}/{trigger.pk}"
    shown = api.get(url).json()

    # What was read can be sent back, and does not forget that the owner was lost.
    sent_back = api.put(url, {**shown, "webhook_config": None}).json()
    make_user("cleo")
    changed = api.patch(url, {"owner": "cleo"}).json()

    assert shown["owner"] is None
    assert shown["owner_lost_at"] is not None
    assert sent_back["owner_lost_at"] == shown["owner_lost_at"]
    assert (changed["owner"], changed["owner_lost_at"]) == ("cleo", None)


def test_an_owner_can_give_a_trigger_up(client: APIClient, ben: User) -> None:
    trigger = owned_by(ben)

    shown = client.patch(f"{URL}/{trigger.pk}", {"owner": None}).json()

    assert (shown["owner"], shown["owner_lost_at"]) == (None, None)


def test_a_list_is_filtered_by_owner(api: APIClient, ben: User) -> None:
    trigger = owned_by(ben)
    owned_by(None)

    found = api.get(URL, {"owner": "ben"}).json()["results"]

    assert [shown["id"] for shown in found] == [str(trigger.pk)]
    assert api.get(URL, {"owner": "be"}).json()["results"] == []


def test_the_password_of_an_owner_is_not_read(
    api: APIClient, ben: User, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        owned_by(ben)

    with django_assert_num_queries(4) as queries:
        api.get(URL)

    assert not any('"password"' in query["sql"] for query in queries.captured_queries)
