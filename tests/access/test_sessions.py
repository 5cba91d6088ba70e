"""The session engine: what a session's row says, and that an ended one stays ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.accounts import end_sessions
from access.sessions import Session, SessionStore
from tests.outages import read_only_database
from tests.races import ROUNDS, race_all
from tests.serving import serve

PAGE = reverse("admin:index")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

pytestmark = pytest.mark.django_db


def logged_in(user: User, *, address: str = "203.0.113.7") -> Client:
    """Return a browser in which a user has logged in with a password."""
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": FIREFOX})
    login = {"username": user.get_username(), "password": "secret"}
    assert client.post(reverse("admin:login"), login).status_code == 302
    return client


def is_logged_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def test_a_session_says_whose_it_is_and_where_it_began(admin: User) -> None:
    before = timezone.now()

    client = logged_in(admin)

    session = Session.objects.get()
    assert (session.user, session.address) == (admin, "203.0.113.7")
    assert session.browser == "Firefox on Linux"
    assert before <= session.began_at <= session.last_seen_at <= timezone.now()
    assert session.session_key == client.cookies["sessionid"].value
    assert session.session_key not in f"{session.public_id}{session}"


def test_a_session_is_seen_once_a_minute_at_most(admin: User) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        client = logged_in(admin)
        seen = []
        for seconds in (30, 31, 30, 60):
            clock.shift(seconds)
            client.get(PAGE, REMOTE_ADDR="203.0.113.9")
            seen.append((Session.objects.get().last_seen_at - now).total_seconds())

    session = Session.objects.get()
    assert seen == [0, 61, 61, 151]
    assert (session.began_at, session.address) == (now, "203.0.113.9")


def test_a_request_within_the_minute_writes_nothing(admin: User) -> None:
    client = logged_in(admin)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(PAGE)

    about_sessions = [q["sql"] for q in queries if "access_session" in q["sql"]]
    assert len(about_sessions) == 1
    assert about_sessions[0].startswith("SELECT")


def test_an_ended_session_stops_at_its_next_request(admin: User) -> None:
    ended, other = logged_in(admin), logged_in(admin)

    Session.objects.filter(session_key=ended.cookies["sessionid"].value).delete()

    assert (is_logged_in(ended), is_logged_in(other)) == (False, True)


def test_a_deactivated_user_is_logged_out_for_good(admin: User) -> None:
    client = logged_in(admin)

    User.objects.update(is_active=False)
    was_in = is_logged_in(client)
    User.objects.update(is_active=True)

    assert (was_in, is_logged_in(client)) == (False, False)
    assert not Session.objects.filter(user=admin).exists()


def test_a_changed_password_ends_all_sessions(admin: User) -> None:
    client = logged_in(admin)
    admin.set_password("another")
    admin.save(update_fields=["password"])

    assert not is_logged_in(client)
    assert not Session.objects.filter(user=admin).exists()


def test_a_login_changes_the_key_of_a_session(admin: User) -> None:
    store = SessionStore()
    store["visited"] = True
    store.save()
    client = Client()
    client.cookies["sessionid"] = store.session_key or ""

    login = {"username": "ana", "password": "secret"}
    client.post(reverse("admin:login"), login)

    session = Session.objects.get()
    assert (session.user, session.session_key) != (admin, store.session_key)
    assert SessionStore(session.session_key)["visited"] is True


def test_a_session_is_stored_under_a_second_key(admin: User) -> None:
    store = SessionStore(logged_in(admin).cookies["sessionid"].value)
    began_at = Session.objects.get().began_at
    assert store["_auth_user_id"] == str(admin.pk)

    store.create()

    [first, second] = Session.objects.order_by("public_id")
    assert second.session_key == store.session_key != first.session_key
    assert (second.user, second.began_at) == (admin, began_at)


def test_clearsessions_deletes_expired_sessions_only(admin: User) -> None:
    expired, valid = logged_in(admin), logged_in(admin)
    old = Session.objects.filter(session_key=expired.cookies["sessionid"].value)
    old.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_logged_in(expired)

    call_command("clearsessions")

    assert Session.objects.get().session_key == valid.cookies["sessionid"].value


@pytest.mark.parametrize("path", [PAGE, "/api/v1/agents"])
def test_a_request_whose_session_is_ended_meanwhile_does_not_restore_it(
    admin: User, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = logged_in(admin)
    load = SessionStore.load

    def load_and_end(store: SessionStore) -> dict[str, object]:
        data = load(store)
        end_sessions(user=admin, by=None)
        store.modified = True
        return data

    monkeypatch.setattr(SessionStore, "load", load_and_end)
    answer = client.get(path)

    assert answer.status_code == 401
    if path.startswith("/api/"):
        assert answer.json()["error_code"] == "session_ended"
    else:
        assert "Your session was ended" in answer.content.decode()
    assert not Session.objects.exists()


def _change(store: SessionStore) -> None:
    store["changed"] = True
    store.save()


@pytest.mark.parametrize("change", [_change, SessionStore.cycle_key])
@pytest.mark.django_db(transaction=True)
def test_a_session_that_is_ended_while_it_changes_stays_ended(
    admin: User, change: Callable[[SessionStore], None]
) -> None:
    def try_to_change(key: str) -> None:
        try:
            change(SessionStore(key))
        except (UpdateError, SessionInterrupted):
            return

    for _ in range(ROUNDS):
        client = Client()
        client.force_login(admin)
        key = client.cookies["sessionid"].value
        end = partial(end_sessions, user=admin, by=None)

        race_all([partial(try_to_change, key)] * 4 + [end] * 4)

        assert not Session.objects.filter(user=admin).exists()
        Session.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_page_is_shown_if_the_use_of_its_session_cannot_be_stored(
    admin: User,
) -> None:
    client = Client()
    client.force_login(admin)
    hour_ago = timezone.now() - timedelta(hours=1)
    Session.objects.update(last_seen_at=hour_ago)
    cookie = f"sessionid={client.cookies['sessionid'].value}"

    with read_only_database():
        answer = serve(PAGE, cookie=cookie)

    assert answer.status_code == 200
    assert Session.objects.get().last_seen_at == hour_ago
    connection.close()
