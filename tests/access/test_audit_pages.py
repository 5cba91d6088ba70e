from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.actors import Actor, ActorKind, acting_as
from access.audit.wording import set_lines
from access.models import AuditLog
from agents.models import Agent
from tests.access.audits import changes_of, last_of
from tests.access.people import make_user
from tests.factories import make_agent, make_created, make_listener, make_trigger
from triggers.models import Trigger
from triggers.services.lifecycle import delete_trigger, update_trigger
from webhooks.endpoints.rotation import rotate_secret

LIST = reverse("admin:access_auditlog_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def text_of(html: str) -> str:
    content = html.partition('id="content')[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", content)))


def lines_of(change: AuditLog) -> list[tuple[str, str]]:
    set_lines([change])
    return list(change.lines)


def history_url(trigger: Trigger) -> str:
    return reverse("admin:triggers_trigger_history", args=[trigger.pk])


def test_changes_are_in_the_words_of_the_pages() -> None:
    old, new = make_agent(name="Reporter"), make_agent(name="Writer")
    trigger = make_listener(agent=old)
    fields = {
        "agent": new,
        "overlap": "skip",
        "is_active": False,
        "catchup_window_seconds": 7200,
        "task_parameters": {"a": 1},
        "task_type": "",
    }

    update_trigger(trigger_id=trigger.pk, fields=fields, event_types=["bill.paid"])

    assert lines_of(last_of(trigger, number=2)) == [
        ("Agent", "Reporter → Writer"),
        ("On", "yes → no"),
        ("Why it is off", "nothing → by hand"),
        ("Fixed parameters", 'nothing → {"a": 1}'),
        ("Catch up within", "1 h → 2 h"),
        (
            "If the run before it is still going",
            "run at the same time → skip the new run",
        ),
        ("Version", "1 → 2"),
        ("Event types", "added bill.paid; removed invoice.*"),
    ]


def test_new_and_deleted_objects_and_secrets_have_words() -> None:
    agent = make_agent(name="Reporter", config={"token": "x"})
    agent.config = {"token": "y"}
    agent.save()
    Agent.objects.get(pk=agent.pk).delete()

    created, changed, deleted = changes_of(agent)

    secret = "the value is not recorded"  # noqa: S105
    assert lines_of(created)[-1] == ("Config", f"set; {secret}")
    assert lines_of(changed) == [("Config", f"changed; {secret}")]
    assert lines_of(deleted) == [
        ("Name", "Reporter"),
        ("Backend", "memory"),
        ("Config", f"removed; {secret}"),
    ]


def test_what_a_change_refers_to_may_be_gone() -> None:
    agent, other = make_agent(), make_agent()
    gone = str(agent.pk)
    trigger = make_trigger(agent=agent)
    update_trigger(trigger_id=trigger.pk, fields={"agent": other})
    agent.delete()

    [first, *_] = lines_of(last_of(trigger, number=2))
    assert first == ("Agent", f"{gone} → {other.name}")


def test_a_column_that_no_longer_exists_is_still_shown() -> None:
    agent = make_agent()
    [change] = changes_of(agent)
    change.changes = [{"field": "old_limit", "old": None, "new": 5, "is_secret": False}]

    assert lines_of(change) == [("Old limit", "5")]


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        (Actor(kind=ActorKind.USER, name="bo", user_id=2), "bo"),
        (
            Actor(kind=ActorKind.KEY, name="bo", user_id=2, key_prefix="th_01"),
            "bo, with the key th_01…",
        ),
        (Actor(kind=ActorKind.COMMAND, name="load_demo"), "the command load_demo"),
        (Actor(kind=ActorKind.SYSTEM), "Tickhook"),
    ],
)
def test_the_list_says_who_made_a_change(
    pages: Client, actor: Actor, text: str
) -> None:
    with acting_as(actor):
        make_agent(name="Reporter")

    html = pages.get(LIST, {"object_type__exact": "agent"}).content.decode()

    assert f" {text} agent Reporter + created Name : Reporter " in text_of(html)


def test_the_list_is_filtered_by_kind_name_and_time(pages: Client) -> None:
    make_agent(name="Reporter")
    Group.objects.create(name="Writers")
    with acting_as(Actor(kind=ActorKind.USER, name="bo", user_id=2)):
        make_agent(name="Writer")

    def shown(**query: str) -> set[str]:
        html = text_of(pages.get(LIST, query).content.decode())
        return {name for name in ("Reporter", "Writers", "Writer ") if name in html}

    assert shown() == {"Reporter", "Writers", "Writer "}
    assert shown(object_type__exact="role") == {"Writers"}
    assert shown(actor="bo") == {"Writer "}
    assert shown(actor_kind__exact="system") == {"Reporter", "Writers"}
    assert shown(q="Rep") == {"Reporter"}


# unfold's filter passes times without a zone; Django reads them as UTC.
@pytest.mark.filterwarnings("ignore:DateTimeField AuditLog.at")
def test_the_list_is_filtered_by_time(pages: Client) -> None:
    make_agent(name="Reporter")

    html = pages.get(LIST, {"at_to_0": "2020-01-01", "at_to_1": "00:00"})

    assert "Reporter" not in html.content.decode()
    assert "Clear filters" in html.content.decode()


def test_a_list_of_any_length_takes_the_same_queries(pages: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert pages.get(LIST).status_code == 200
        return len(queries)

    trigger = make_trigger()
    few = count()
    for _ in range(20):
        update_trigger(trigger_id=trigger.pk, fields={"agent": make_agent()})

    assert count() == few


def test_one_change_has_a_page_with_all_of_its_lines(pages: Client) -> None:
    trigger = make_trigger(name="nightly", description="x" * 500)
    [created] = changes_of(trigger)

    html = text_of(
        pages.get(
            reverse("admin:access_auditlog_change", args=[created.pk])
        ).content.decode()
    )

    assert "x" * 500 in html
    assert "x" * 161 not in text_of(pages.get(LIST).content.decode())


def test_the_page_of_an_object_shows_its_changes(pages: Client) -> None:
    made = make_created(
        name="Push", trigger_type="webhook", webhook={"type_slug": "github"}
    )
    endpoint = made.trigger.endpoint
    assert endpoint is not None
    rotate_secret(endpoint_id=endpoint.pk)

    of_trigger = text_of(pages.get(history_url(made.trigger)).content.decode())
    url = reverse("admin:webhooks_webhookendpoint_history", args=[endpoint.pk])
    of_endpoint = text_of(pages.get(url).content.decode())

    assert "+ created Name : Push" in of_trigger
    assert "secret rotated" not in of_trigger
    assert "Secrets : changed; the value is not recorded secret rotated" in of_endpoint


def test_an_object_without_changes_says_so(pages: Client) -> None:
    trigger = make_trigger()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM triggers_historicaltrigger")

    html = pages.get(history_url(trigger)).content.decode()

    assert "No changes since the audit log began." in html


def test_the_pages_need_the_permission_of_the_log(client: Client) -> None:
    client.force_login(make_user("Editor"))
    trigger = make_trigger()
    page = reverse("admin:triggers_trigger_change", args=[trigger.pk])

    assert client.get(LIST).status_code == 403
    assert client.get(history_url(trigger)).status_code == 403
    assert history_url(trigger) not in client.get(page).content.decode()


def test_an_administrator_bound_to_a_subject_sees_only_its_changes(
    client: Client,
) -> None:
    client.force_login(make_user("Admin", subject="acme"))
    own = make_trigger(name="nightly", subject="acme")
    other = make_trigger(name="weekly", subject="other")
    delete_trigger(trigger_id=other.pk)

    html = text_of(client.get(LIST).content.decode())

    assert "trigger nightly + created" in html
    assert "weekly" not in html
    assert "+ created" in text_of(client.get(history_url(own)).content.decode())
