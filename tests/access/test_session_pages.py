"""The pages on which people see and end sessions, and change passwords."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.sessions import Session, SessionStore
from tests.access.test_sessions import is_logged_in, logged_in

OWN = reverse("admin:sessions")
CHANGE_PASSWORD = reverse("admin:password_change")
NEW = "correct-horse-9"

pytestmark = pytest.mark.django_db


@pytest.fixture
def bo(db: None) -> User:
    """A member of staff without any permission."""
    return User.objects.create_user("bo", password="secret", is_staff=True)  # noqa: S106


@pytest.fixture
def eve(db: None) -> User:
    """A person who may use the API, but not the admin."""
    return User.objects.create_user("eve", password="secret")  # noqa: S106


def sessions_of(user: User) -> str:
    return reverse("admin:auth_user_sessions", args=[user.pk])


def session_of(client: Client) -> Session:
    return Session.objects.get(session_key=client.cookies["sessionid"].value)


def end(client: Client, page: str, session: object) -> str:
    """Press a button to end sessions; return the text of the next page."""
    answer = client.post(page, {"session": str(session)}, follow=True)
    return answer.content.decode()


def change_password(client: Client, *, old: str = "secret", new: str = NEW) -> str:
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(CHANGE_PASSWORD, form, follow=True).content.decode()


def test_people_see_their_own_sessions_without_keys(admin: User, bo: User) -> None:
    here, there = logged_in(bo), logged_in(bo, address="198.51.100.4")
    logged_in(admin, address="192.0.2.99")

    page = here.get(OWN).content.decode()

    assert "203.0.113.7" in page
    assert "198.51.100.4" in page
    assert "Firefox on Linux" in page
    assert "192.0.2.99" not in page
    assert page.count("This one") == 1
    assert str(session_of(there).public_id) in page
    for session in Session.objects.all():
        assert session.session_key not in page


def test_the_page_of_sessions_reads_as_much_for_one_as_for_many(bo: User) -> None:
    here, counts = logged_in(bo), []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            here.get(OWN)
        counts.append(len(queries))
        for _ in range(5):
            logged_in(bo)

    assert counts[0] == counts[1]


def test_a_person_ends_one_session(bo: User, caplog: pytest.LogCaptureFixture) -> None:
    here, there, third = logged_in(bo), logged_in(bo), logged_in(bo)
    ended = session_of(there).public_id

    with caplog.at_level("INFO", "access"):
        page = end(here, OWN, ended)

    assert "The session ended." in page
    assert [is_logged_in(one) for one in (here, there, third)] == [True, False, True]
    assert f"Session {ended} of user {bo.pk} ended by user {bo.pk}" in caplog.messages


def test_a_person_ends_all_other_sessions(bo: User) -> None:
    here, there, third = logged_in(bo), logged_in(bo), logged_in(bo)

    page = end(here, OWN, "all")

    assert "2 sessions ended." in page
    assert [is_logged_in(one) for one in (here, there, third)] == [True, False, False]


def test_ending_the_session_of_the_request_is_a_logout(bo: User) -> None:
    here = logged_in(bo)

    end(here, OWN, session_of(here).public_id)

    assert not is_logged_in(here)
    assert not Session.objects.exists()


@pytest.mark.parametrize("named", ["", "x", "\x00", "0" * 32])
def test_an_unknown_session_ends_nothing(bo: User, named: str) -> None:
    here, there = logged_in(bo), logged_in(bo)

    page = end(here, OWN, named)

    assert "No session has this id." in page or "had already ended" in page
    assert (is_logged_in(here), is_logged_in(there)) == (True, True)


def test_a_person_cannot_end_a_session_of_another(admin: User, bo: User) -> None:
    here, foreign = logged_in(bo), logged_in(admin)

    end(here, OWN, session_of(foreign).public_id)
    answers = [
        here.post(sessions_of(admin), {"session": "all"}).status_code,
        here.get(sessions_of(admin)).status_code,
    ]

    assert answers == [403, 403]
    assert is_logged_in(foreign)


def test_sessions_are_not_ended_without_a_csrf_token_or_by_get(bo: User) -> None:
    there, here = logged_in(bo), Client(enforce_csrf_checks=True)
    here.force_login(bo)

    answer = here.post(OWN, {"session": "all"})
    here.get(OWN, {"session": "all"})

    assert answer.status_code == 403
    assert is_logged_in(there)


def test_an_admin_sees_and_ends_the_sessions_of_others(admin: User, bo: User) -> None:
    here, foreign = logged_in(admin), logged_in(bo, address="198.51.100.4")
    page = here.get(sessions_of(bo)).content.decode()

    after = end(here, sessions_of(bo), "all")

    assert "Sessions of bo" in page
    assert "198.51.100.4" in page
    assert "1 session ended." in after
    assert (is_logged_in(here), is_logged_in(foreign)) == (True, False)


def test_the_permission_to_change_users_is_enough(admin: User, bo: User) -> None:
    bo.user_permissions.set(Permission.objects.filter(codename="change_user"))
    here, foreign = logged_in(bo), logged_in(admin)

    end(here, sessions_of(admin), session_of(foreign).public_id)

    assert not is_logged_in(foreign)
    assert here.get(reverse("admin:auth_user_sessions", args=[0])).status_code == 404


def test_the_user_menu_leads_to_both_pages(bo: User) -> None:
    page = logged_in(bo).get(reverse("admin:index")).content.decode()

    assert f'href="{OWN}"' in page
    assert f'href="{CHANGE_PASSWORD}"' in page


def test_people_who_are_not_staff_have_both_pages(eve: User) -> None:
    client = Client()
    client.force_login(eve)
    api = client.get("/api/v1/", headers={"Accept": "text/html"}).content.decode()

    page = change_password(client)

    assert f'href="{OWN}"' in api
    assert f'href="{CHANGE_PASSWORD}"' in api
    assert "Your password is changed" in page
    eve.refresh_from_db()
    assert eve.check_password(NEW)
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("path", [OWN, CHANGE_PASSWORD])
def test_both_pages_ask_for_a_login(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('admin:login')}?next={path}"


def test_a_new_password_ends_the_other_sessions_and_is_logged(
    bo: User, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = logged_in(bo), logged_in(bo)
    key, public_id = session_of(here).session_key, session_of(here).public_id

    with caplog.at_level("INFO", "access"):
        page = change_password(here)

    assert "Your password is changed" in page
    assert Session.objects.get() == session_of(here)
    assert session_of(here).public_id == public_id
    assert session_of(here).session_key != key
    assert (is_logged_in(here), is_logged_in(there)) == (True, False)
    assert f"Password of user {bo.pk} changed by user {bo.pk}" in caplog.messages
    assert NEW not in caplog.text


def test_a_session_that_is_ended_meanwhile_changes_no_password(
    bo: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = logged_in(bo)
    cycle_key = SessionStore.cycle_key

    def end_and_cycle(store: SessionStore) -> None:
        Session.objects.all().delete()
        cycle_key(store)

    monkeypatch.setattr(SessionStore, "cycle_key", end_and_cycle)
    form = {"old_password": "secret", "new_password1": NEW, "new_password2": NEW}
    answer = here.post(CHANGE_PASSWORD, form)

    assert answer.status_code == 401
    bo.refresh_from_db()
    assert bo.check_password("secret")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("k7-Pq", "This password is too short"),
        ("password1", "This password is too common"),
        ("8201946375", "This password is entirely numeric"),
        ("bo-bo-robert", "The password is too similar to the first name"),
    ],
)
def test_a_weak_password_is_refused(bo: User, password: str, reason: str) -> None:
    User.objects.update(first_name="bo-bo-robert")
    here, there = logged_in(bo), logged_in(bo)

    page = change_password(here, new=password)

    assert reason in page
    bo.refresh_from_db()
    assert bo.check_password("secret")
    assert is_logged_in(there)


def test_wrong_old_passwords_count_as_failed_logins(
    bo: User, caplog: pytest.LogCaptureFixture
) -> None:
    here = logged_in(bo)
    for _ in range(3):
        change_password(here, new="short")

    pages = [change_password(here, old="wrong") for _ in range(6)]

    assert ["entered incorrectly" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed logins" in pages[5]
    assert "Too many failed logins" in change_password(here)
    line = f"Wrong old password: user {bo.pk} from 203.0.113.7"
    assert caplog.messages.count(line) == 5


@pytest.mark.parametrize("is_disabled", [False, True])
def test_an_admin_who_changes_a_password_ends_the_sessions(
    admin: User, bo: User, is_disabled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = logged_in(admin), logged_in(bo)
    url = reverse("admin:auth_user_password_change", args=[bo.pk])
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    if is_disabled:
        form = {"usable_password": "false", "unset-password": "1"}

    with caplog.at_level("INFO", "access"):
        here.post(url, form)

    bo.refresh_from_db()
    assert bo.has_usable_password() is not is_disabled
    assert (is_logged_in(here), is_logged_in(there)) == (True, False)
    assert f"Password of user {bo.pk} changed by user {admin.pk}" in caplog.messages


def test_a_refused_password_of_another_ends_no_session(admin: User, bo: User) -> None:
    here, there = logged_in(admin), logged_in(bo)
    url = reverse("admin:auth_user_password_change", args=[bo.pk])

    here.post(url, {"password1": "x", "password2": "x", "usable_password": "true"})
    here.post(url, {"usable_password": "false"})

    assert is_logged_in(there)


def test_deactivating_a_user_in_the_admin_ends_the_sessions(
    admin: User, bo: User
) -> None:
    here, there = logged_in(admin), logged_in(bo)
    form = {"username": "bo", "date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    form |= dict.fromkeys(
        ("subject_binding-TOTAL_FORMS", "subject_binding-INITIAL_FORMS"), "0"
    )

    answer = here.post(reverse("admin:auth_user_change", args=[bo.pk]), form)

    assert answer.status_code == 302
    assert not Session.objects.filter(user=bo).exists()
    assert not is_logged_in(there)


def test_the_page_that_deletes_a_user_shows_no_session_keys(
    admin: User, bo: User
) -> None:
    here, there = logged_in(admin), logged_in(bo)
    key = session_of(there).session_key
    url = reverse("admin:auth_user_delete", args=[bo.pk])

    page = here.get(url).content.decode()
    here.post(url, {"post": "yes"})

    assert key not in page
    assert not Session.objects.filter(session_key=key).exists()
    assert not is_logged_in(there)
