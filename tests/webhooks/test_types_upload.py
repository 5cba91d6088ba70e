from __future__ import annotations

from typing import Any

import pytest

from common.errors import Fault, TickhookError
from senders.definitions import (
    get_shipped,
    resolve,
    shipped_document,
    shipped_slugs,
)
from tests.senders.test_signature_jwt import JWT
from tests.webhooks.uploads import MINIMAL, PARCELS, SIGNED
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion
from webhooks.types import (
    WebhookTypeInUse,
    current_type,
    definition_of,
    delete_type,
    find_body_faults,
    known_slugs,
    patch_type,
    summarize_types,
    upload,
    upload_type,
)

pytestmark = pytest.mark.django_db


def refused(**given: Any) -> TickhookError:
    with pytest.raises(TickhookError) as refusal:
        upload_type(**given)
    assert not WebhookTypeVersion.objects.exists()
    return refusal.value


def test_a_minimal_document_is_a_type() -> None:  # R181, R182, R183
    uploaded = upload_type(slug="My_Service", document=MINIMAL, by="ana")

    assert (uploaded.slug, uploaded.version, uploaded.is_new) == ("my_service", 1, True)
    definition = definition_of("MY_service")
    assert (definition.slug, definition.name) == ("my_service", "my_service")
    assert definition.default_methods == ("POST",)
    assert definition.required_config_fields == ()
    assert definition.validation_required is False
    assert WebhookTypeVersion.objects.get().created_by == "ana"


@pytest.mark.parametrize("field", ["parser", "json_schema"])
@pytest.mark.parametrize("value", ["missing", None])
def test_a_required_field_is_named(field: str, value: object) -> None:  # R181
    document = {**MINIMAL, field: value}
    if value == "missing":
        del document[field]

    error = refused(slug="shop", document=document)

    assert error.detail == f"Missing required field: {field}"
    assert error.faults == (Fault(f"/{field}", error.detail),)


def test_only_shipped_types_have_aliases() -> None:
    error = refused(document={**MINIMAL, "slug": "shop", "aliases": ["hubspot"]})

    assert [fault.pointer for fault in error.faults] == ["/aliases"]


def test_an_uploaded_type_wins_over_an_alias() -> None:
    upload_type(document={**MINIMAL, "slug": "hubspot"})

    assert create_endpoint(type_slug="hubspot").endpoint.type == "hubspot"


@pytest.mark.parametrize("named", ["slug", "webhook_type"])
def test_the_slug_may_be_in_the_document(named: str) -> None:
    uploaded = upload_type(document={**MINIMAL, named: "Shop"})

    assert uploaded.slug == "shop"
    assert uploaded.document == {**MINIMAL, "slug": "shop", "name": "shop"}


@pytest.mark.parametrize(
    ("slug", "change", "pointer"),
    [
        (None, {}, "/slug"),
        (None, {"slug": 5}, "/slug"),
        ("shop", {"slug": "other"}, "/slug"),
        ("a shop", {}, "/slug"),
        ("x" * 51, {}, "/slug"),
        ("shop", {"colour": "red"}, ""),
        ("shop", {"signature": {"kind": "magic"}}, "/signature/kind"),
        ("shop", {"json_schema": {"type": "text"}}, "/json_schema/type"),
        (
            "shop",
            {"json_schema": {"items": {"$ref": "https://a.example/s"}}},
            "/json_schema/items/$ref",
        ),
        ("shop", {"json_schema": {"pattern": "(?=a)b"}}, "/json_schema/pattern"),
        ("shop", {"json_schema": {"$ref": "#"}}, "/json_schema"),
        ("shop", {"description": "x" * 300_000}, ""),
        ("shop", {"signature_required": True}, "/signature_required"),
    ],
)
def test_a_fault_is_reported_with_its_pointer(
    slug: str | None, change: dict[str, Any], pointer: str
) -> None:
    error = refused(slug=slug, document={**MINIMAL, **change})

    assert (error.http_status, error.code) == (400, "invalid_webhook_type")
    assert [fault.pointer for fault in error.faults] == [pointer]


def test_code_is_checked_by_the_sandbox() -> None:
    good = "def parse_it(body, headers, webhook_config):\n    return {}"

    document = {**MINIMAL, "custom_parser_code": good, "validation_code": "def x(:"}
    error = refused(slug="shop", document=document)

    assert [fault.pointer for fault in error.faults] == ["/validation_code"]


CONFIRMATION = {
    "equals": [{"body": "/type", "is": "confirm"}],
    "url": {"body": "/url"},
    "host": ".*",
}
CERTIFICATE = {
    "kind": "rsa-cert",
    "signed": "{body}",
    "read_from": {"headers": ["X-Signature"]},
    "certificate": {"url": {"body": "/url"}, "host": ".*", "path": ".*"},
    "version": {"read_from": {"body": "/version"}, "hashes": {"1": "sha256"}},
}


@pytest.mark.parametrize("slug", ["shop", "sns", "github"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confirmation", CONFIRMATION),
        ("signature", CERTIFICATE),
        ("signature", JWT),
        ("signature", {"kind": "any", "of": [{"kind": "basic"}, CERTIFICATE]}),
    ],
)
def test_an_upload_cannot_make_the_server_request_a_url(
    slug: str, field: str, value: dict[str, Any]
) -> None:
    error = refused(slug=slug, document={**MINIMAL, field: value})

    assert [fault.pointer for fault in error.faults] == [f"/{field}"]


@pytest.mark.parametrize("signature", [CERTIFICATE, JWT])
def test_only_an_administrator_uploads_a_type_that_fetches(
    signature: dict[str, Any],
) -> None:
    document = {**MINIMAL, "signature": signature}

    error = refused(slug="shop", document=document)

    detail = (
        "Only shipped types may fetch certificates and keys; ask an administrator to "
        "upload this one"
    )
    assert list(error.faults) == [Fault("/signature", detail)]
    assert upload_type(slug="shop", document=document, may_fetch=True).is_new
    with pytest.raises(TickhookError):
        patch_type(slug="shop", document={"name": "Shop"})
    patch_type(slug="shop", document={"name": "Shop"}, may_fetch=True)


def test_an_administrator_cannot_upload_a_confirmation() -> None:
    document = {**MINIMAL, "confirmation": CONFIRMATION}

    error = refused(slug="shop", document=document, may_fetch=True)

    assert [fault.pointer for fault in error.faults] == ["/confirmation"]


def test_an_upload_may_keep_the_requests_of_the_shipped_type() -> None:
    upload_type(slug="sns", document=MINIMAL)

    assert definition_of("sns").confirmation == resolve("sns").confirmation
    assert definition_of("sns").signature == resolve("sns").signature


def test_an_unsigned_handshake_cannot_answer_with_a_signature() -> None:
    answer = {"json": {"token": ["{hmac_sha256_hex:query:crc_token}"]}}
    when = {"method": "GET", "present": [{"query": "crc_token"}]}
    handshake = {"when": when, "answer": answer, "signed": False}

    error = refused(slug="shop", document={**SIGNED, "handshakes": [handshake]})

    assert [fault.pointer for fault in error.faults] == ["/handshakes/0/answer"]
    signed = {**SIGNED, "handshakes": [{**handshake, "signed": True}]}
    assert upload_type(slug="shop", document=signed).is_new


def test_generic_cannot_be_replaced_or_deleted() -> None:  # R185
    error = refused(slug="GENERIC", document=MINIMAL)
    with pytest.raises(TickhookError) as refusal:
        delete_type(slug="generic")

    assert (error.code, error.http_status) == ("generic_type_stays", 409)
    assert refusal.value.code == "generic_type_stays"


@pytest.mark.parametrize("slug", ["task", "trigger", "invoice", "INVOICE"])
def test_a_slug_of_our_own_events_is_refused(slug: str) -> None:
    assert refused(slug=slug, document=MINIMAL).code == "webhook_type_slug_taken"


def test_omitted_fields_of_a_shipped_type_stay() -> None:
    schema = {"type": "object", "required": ["action"]}

    upload_type(slug="github", document={**MINIMAL, "json_schema": schema})

    shipped, now = get_shipped("github"), definition_of("github")
    assert shipped is not None
    assert now.json_schema == schema
    assert now.signature == shipped.signature
    assert (now.name, now.delivery_id) == (shipped.name, shipped.delivery_id)
    assert now.max_body_bytes == shipped.max_body_bytes


def test_null_removes_a_field_of_a_shipped_type() -> None:
    document = {**MINIMAL, "signature": None, "signature_required": None}

    upload_type(slug="github", document=document)

    assert definition_of("github").signature is None


def test_every_shipped_document_can_be_uploaded() -> None:
    for slug in shipped_slugs():
        if slug != "generic":
            whole = {**MINIMAL, **shipped_document(slug)}
            assert upload_type(document=whole).slug == slug


def test_each_change_makes_a_version_and_a_repeat_makes_none() -> None:
    numbers = [
        upload_type(slug="shop", document={**MINIMAL, "description": text}).version
        for text in ("one", "two", "two", "one")
    ]

    assert numbers == [1, 2, 2, 3]
    stored = WebhookTypeVersion.objects.order_by("version")
    assert [row.document["description"] for row in stored] == ["one", "two", "one"]
    assert definition_of("shop").description == "one"


def test_a_deleted_type_is_unknown_and_its_numbers_continue() -> None:
    upload_type(slug="shop", document=MINIMAL)
    delete_type(slug="SHOP")

    assert definition_of("shop").slug == "generic"
    assert upload_type(slug="shop", document=MINIMAL).version == 2


def test_deleting_an_override_restores_the_shipped_type() -> None:
    upload_type(slug="github", document={**MINIMAL, "name": "Ours"})
    create_endpoint(type_slug="github")

    delete_type(slug="github")

    assert definition_of("github") is get_shipped("github")


@pytest.mark.parametrize(
    ("slug", "cause"),
    [("github", "shipped_type_stays"), ("unknown", "webhook_type_not_found")],
)
def test_a_type_that_was_not_uploaded_cannot_be_deleted(slug: str, cause: str) -> None:
    with pytest.raises(TickhookError) as refusal:
        delete_type(slug=slug)

    assert refusal.value.code == cause


def test_a_type_in_use_is_not_deleted() -> None:
    upload_type(slug="shop", document=MINIMAL)
    endpoint = create_endpoint(type_slug="shop").endpoint

    with pytest.raises(WebhookTypeInUse) as refusal:
        delete_type(slug="shop")

    assert f"1 endpoint uses it ({endpoint.pk})" in refusal.value.detail
    assert WebhookType.objects.filter(slug="shop").exists()


def test_a_closed_endpoint_does_not_keep_its_type() -> None:
    upload_type(slug="shop", document=MINIMAL)
    endpoint = create_endpoint(type_slug="shop").endpoint
    endpoint.is_active = False
    endpoint.save(update_fields=["is_active"])

    delete_type(slug="shop")

    assert not WebhookType.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"signature": None, "signature_required": None},
        {"signature_required": False},
        {"config_matches": [{"header": "X-Key", "config": "key"}]},
        {
            "handshakes": [
                {
                    "when": {"method": "POST", "present": [{"body": "/data"}]},
                    "signed": False,
                    "answer": {},
                }
            ]
        },
    ],
)
def test_the_verification_cannot_change_while_a_type_is_used(
    change: dict[str, Any],
) -> None:
    upload_type(slug="shop", document=SIGNED)
    create_endpoint(type_slug="shop")

    with pytest.raises(WebhookTypeInUse):
        patch_type(slug="shop", document=change)

    assert WebhookTypeVersion.objects.count() == 1
    assert patch_type(slug="shop", document={"description": "x"}).version == 2


def test_a_patch_changes_the_given_fields() -> None:
    upload_type(document=PARCELS)

    patched = patch_type(
        slug="Parcels", document={"description": "x", "event_type": None}
    )

    kept = {name: value for name, value in PARCELS.items() if name != "event_type"}
    assert patched.document == {**kept, "description": "x"}
    assert patched.version == 2


def test_a_patch_does_not_create_a_type() -> None:
    with pytest.raises(TickhookError) as refusal:
        patch_type(slug="unknown", document={"name": "x"})

    assert refusal.value.code == "webhook_type_not_found"


def test_text_that_jsonb_rejects_is_stored() -> None:
    schema = {"const": "\u0000\ud800"}

    upload_type(slug="shop", document={**MINIMAL, "json_schema": schema})

    assert current_type("shop").document["json_schema"] == schema


def test_all_types_are_listed_in_four_queries(
    django_assert_num_queries: Any,
) -> None:
    upload_type(document=PARCELS)
    upload_type(slug="github", document=MINIMAL)
    create_endpoint(type_slug="github")
    summarize_types(known_slugs(), WebhookEndpoint.objects.all())

    with django_assert_num_queries(4):
        summaries = summarize_types(known_slugs(), WebhookEndpoint.objects.all())
        listed = {summary.slug: summary for summary in summaries}

    assert set(listed) == {*shipped_slugs(), "parcels"}
    parcels, github, generic = (listed[s] for s in ("parcels", "github", "generic"))
    assert (parcels.source, parcels.version, parcels.in_use) == ("uploaded", 1, 0)
    assert (github.source, github.is_shipped_too, github.in_use) == (
        "uploaded", True, 1
    )  # fmt: skip
    assert (generic.source, generic.version) == ("shipped", None)


def test_a_body_is_checked_against_its_schema() -> None:  # R190
    upload_type(document=PARCELS)
    definition = definition_of("parcels")

    assert (
        find_body_faults(definition.json_schema, {"event_type": "sent", "data": {}})
        == []
    )
    faults = find_body_faults(definition.json_schema, {"event_type": 1, "data": {}})
    assert faults == [Fault("/body/event_type", "1 is not of type 'string'")]


def test_a_schema_of_false_accepts_no_body() -> None:
    upload_type(slug="shop", document={**MINIMAL, "json_schema": False})

    [fault] = find_body_faults(definition_of("shop").json_schema, {})

    assert fault.pointer == "/body"


def test_true_and_one_are_not_the_same() -> None:
    for value in (1, True):
        upload_type(slug="shop", document={**MINIMAL, "json_schema": {"const": value}})

    assert current_type("shop").version == 2


def test_a_patch_of_a_concurrently_changed_type_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload_type(slug="shop", document=MINIMAL)

    def change_first(document: dict[str, Any]) -> list[Fault]:
        monkeypatch.undo()
        upload_type(slug="shop", document={**MINIMAL, "description": "theirs"})
        return []

    monkeypatch.setattr(upload, "find_code_faults", change_first)
    with pytest.raises(upload.WebhookTypeChanged):
        patch_type(slug="shop", document={"name": "Ours"})

    assert current_type("shop").document["description"] == "theirs"
    assert WebhookTypeVersion.objects.count() == 2
