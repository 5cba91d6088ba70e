"""GitHub, GitLab, Gitea, Bitbucket and Jira."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.senders.requests import (
    FORM,
    WHSEC,
    Sent,
    as_json,
    failure,
    finder,
    hex_hmac,
    identify,
)
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import answer_to, handshake, make_endpoint, send

GITHUB_PUSH = signed("github", "push")
GITLAB_PUSH = unsigned("gitlab", SENDERS["gitlab"].events[0])
DATA_CENTER_TEST = as_json("bitbucket", test=True).plus(X_Event_Key="diagnostics:ping")


def in_form(slug: str) -> Sent:
    """Return a push whose JSON is the field `payload` of a form."""
    push = unsigned(slug, SENDERS[slug].events[0])
    body = urlencode({"payload": push.body.decode()}).encode()
    [form] = SENDERS[slug].forms.values()
    return form.sign(push.but(body=body, content_type=FORM))


def test_github_signs_the_whole_form_and_the_payload_is_parsed() -> None:
    sent = in_form("github")

    sent.verify()
    assert finder(sent).body == json.loads(GITHUB_PUSH.body)
    assert failure(sent.but(body=GITHUB_PUSH.body)) == FailureReason.NO_MATCH


def test_the_weaker_sha1_signature_of_github_is_not_enough() -> None:
    weaker = GITHUB_PUSH.without("X-Hub-Signature-256").plus(
        X_Hub_Signature="sha1=" + hex_hmac(GITHUB_PUSH.body, hash_name="sha1")
    )

    assert failure(weaker) == FailureReason.MISSING_HEADER


@pytest.mark.django_db
def test_github_gets_an_acknowledgement() -> None:  # R213
    endpoint = make_endpoint("github")

    first, again = (send(endpoint, GITHUB_PUSH).json() for _ in range(2))

    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert Event.objects.get().type == "github.push"


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["github", "gitea", "gogs"])
def test_a_payload_in_a_form_is_stored_with_its_bytes(slug: str) -> None:
    sent = in_form(slug)

    assert send(make_endpoint(slug), sent).status_code == 200
    event = Event.objects.get()
    assert (event.type, bytes(event.body)) == (f"{slug}.push", sent.body)


@pytest.mark.django_db
def test_a_ping_of_github_is_an_event_and_must_be_signed() -> None:  # R217
    ping = as_json("github", zen="Keep it simple.", hook_id=1, hook={}).plus(
        X_GitHub_Event="ping"
    )
    endpoint = make_endpoint("github")

    forged = ping.plus(X_Hub_Signature_256="sha256=" + "ab" * 32)
    assert send(endpoint, forged).status_code == 401
    genuine = ping.plus(X_Hub_Signature_256="sha256=" + hex_hmac(ping.body))
    assert send(endpoint, genuine).json()["status"] == "accepted"
    assert Event.objects.get().type == "github.ping"


def test_a_signing_token_of_gitlab_is_not_accepted_as_secret_token() -> None:
    leaked = GITLAB_PUSH.plus(X_Gitlab_Token=WHSEC).but(secret=WHSEC)

    failure(leaked)


def test_the_event_uuid_of_gitlab_is_not_a_delivery_id() -> None:
    """Events that one webhook triggers in another share it."""
    sent = GITLAB_PUSH.without("Idempotency-Key").plus(X_Gitlab_Event_UUID="13792a34")

    assert identify(sent).delivery_id is None


def test_a_custom_payload_of_gitlab_is_named_by_its_header() -> None:
    custom = GITLAB_PUSH.but(body=b'{"text": "Pushed"}')

    assert identify(custom).event_type == "gitlab.Push_Hook"


CONFIDENTIAL = {"object_kind": "issue", "event_type": "confidential_issue"}


@pytest.mark.parametrize(
    ("header", "body", "event"),
    [
        ("Issue Hook", {"object_kind": "issue", "event_type": "issue"}, "issue"),
        ("Confidential Issue Hook", CONFIDENTIAL, "confidential_issue"),
        ("Confidential Issue Hook", {"object_kind": "issue"}, "confidential_issue"),
        ("Issue Hook", CONFIDENTIAL, "confidential_issue"),
        ("Note Hook", {"object_kind": "note", "event_type": "note"}, "note"),
        (
            "Confidential Note Hook",
            {"object_kind": "note", "event_type": "confidential_note"},
            "confidential_note",
        ),
        (
            "Confidential Issue Hook",
            {"object_kind": "work_item", "event_type": "confidential_work_item"},
            "confidential_work_item",
        ),
        ("System Hook", {"event_name": "project_create"}, "system.project_create"),
        (
            "System Hook",
            {"object_kind": "push", "event_name": "push"},
            "system.push",
        ),
        ("System Hook", {"object_kind": "merge_request"}, "system.merge_request"),
        ("System Hook", {"x": 1}, "System_Hook"),
        ("Job Hook", {"object_kind": "build"}, "build"),
    ],
)
def test_confidential_and_system_hooks_of_gitlab_have_their_own_types(
    header: str, body: dict[str, object], event: str
) -> None:
    sent = as_json("gitlab", **body).plus(X_Gitlab_Event=header)

    assert identify(sent).event_type == f"gitlab.{event}"


def test_gogs_is_not_gitea() -> None:
    sent = signed("gogs", "push")

    assert identify(sent).event_type == "gogs.push"
    assert failure(sent.but(slug="gitea")) == FailureReason.MISSING_HEADER


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_forgejo_has_its_own_headers(event: str) -> None:
    sent = signed("gitea", event)
    renamed = {
        name.replace("Gitea", "Forgejo"): text for name, text in sent.headers.items()
    }
    forgejo = sent.but(headers=renamed)

    forgejo.verify()
    assert identify(forgejo) == DeliveryIdentity(
        event_type=f"gitea.{event}", delivery_id="a3ac4c9b"
    )


def test_a_further_attempt_of_bitbucket_has_the_same_identity() -> None:
    sent = signed("bitbucket")

    assert identify(sent.plus(X_Attempt_Number="2")) == identify(sent)


def test_bitbucket_data_center_has_another_header_for_the_id() -> None:
    sent = signed("bitbucket").without("X-Request-UUID").plus(X_Request_Id="r-1")

    assert identify(sent).delivery_id == "r-1"


def test_the_connection_test_of_data_center_is_answered_without_a_signature() -> None:
    answer = answer_to(DATA_CENTER_TEST, signed=False)

    assert (answer.status_code, answer.content) == (200, b"")
    assert handshake(signed("bitbucket"), signed=False) is None


@pytest.mark.django_db
def test_the_connection_test_of_data_center_is_not_recorded() -> None:
    endpoint = make_endpoint("bitbucket")

    assert send(endpoint, DATA_CENTER_TEST).status_code == 200
    push = signed("bitbucket").without("X-Hub-Signature")
    assert send(endpoint, push).status_code == 401
    assert_nothing_happened()


def test_an_event_of_jira_without_a_shorter_name_keeps_its_own() -> None:
    sent = as_json("jira", webhookEvent="jira:future")

    assert identify(sent).event_type == "jira.jira:future"
