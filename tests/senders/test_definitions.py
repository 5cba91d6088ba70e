from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.errors import Fault
from senders.definitions import (
    BodySource,
    ConstantSource,
    HeaderSource,
    InvalidDefinition,
    QuerySource,
    get_shipped,
    load_definition,
    resolve,
    shipped_slugs,
)
from senders.definitions.answers import (
    ConfigMatch,
    ExpectedValue,
    Placeholder,
    RequestCriteria,
)
from senders.definitions.schemes import (
    Encoding,
    HeaderEntries,
    HmacScheme,
    PartKind,
    SecretEncoding,
    SecretFormat,
    TemplatePart,
    TimestampRule,
    TimestampUnit,
)

TYPES = Path(__file__).parents[2] / "senders" / "types"
MINIMAL: dict[str, Any] = {"slug": "acme", "name": "Acme"}
BODY_HMAC: dict[str, Any] = {
    "kind": "hmac",
    "signed": "{body}",
    "read_from": {"headers": ["X-Acme-Signature"]},
}


def faults_of(**fields: object) -> tuple[Fault, ...]:
    with pytest.raises(InvalidDefinition) as raised:
        load_definition({**MINIMAL, **fields})
    return raised.value.faults


def test_the_shipped_types_are_known() -> None:
    assert {"generic", "github", "standardwebhooks"} <= set(shipped_slugs())


@pytest.mark.parametrize("slug", shipped_slugs())
def test_a_shipped_file_is_named_after_its_slug(slug: str) -> None:
    file = TYPES / f"{slug}.json"

    assert load_definition(json.loads(file.read_bytes())) == get_shipped(slug)


def test_the_slug_of_a_shipped_type_is_not_case_sensitive() -> None:  # R183
    assert get_shipped("GitHub") is get_shipped("github")


def test_a_process_loads_only_the_types_that_it_needs() -> None:
    code = (
        "from senders.definitions import shipped; shipped.get_shipped('github'); "
        "print(shipped._load_type.cache_info().currsize)"
    )

    ended = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        cwd=TYPES.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "1\n"


def test_an_unknown_type_is_not_shipped() -> None:
    assert get_shipped("unknown") is None


def test_an_unknown_type_is_treated_as_generic() -> None:  # R32, R184
    assert resolve("unknown").slug == "generic"


def test_generic_requires_no_signature() -> None:
    assert resolve("generic").signature_required is False


def test_omitted_fields_have_defaults() -> None:  # R182
    definition = load_definition(MINIMAL)

    assert definition.signature is None
    assert definition.signature_required is False
    assert definition.default_methods == ("POST",)
    assert definition.response_format == "json"
    assert definition.max_body_bytes == 10_485_760
    assert definition.form_json_field is None


def test_a_slug_is_stored_in_lower_case() -> None:  # R183
    assert load_definition({"slug": "ACME-2", "name": "Acme"}).slug == "acme-2"


def test_sources_keep_their_order() -> None:
    sources = [{"header": "X-Topic"}, {"body": "/data/a~1b"}, {"constant": "sent"}]

    definition = load_definition({**MINIMAL, "event_type": sources})

    assert definition.event_type == (
        HeaderSource(name="X-Topic"),
        BodySource(path=("data", "a/b")),
        ConstantSource(value="sent"),
    )


def test_an_hmac_scheme_is_loaded_completely() -> None:
    signature = {
        "kind": "hmac",
        "encodings": ["base64"],
        "signed": "v0:{timestamp}:{header:x-id}{body}",
        "read_from": {"headers": ["X-Sig"], "separator": ",", "prefixes": ["v1="]},
        "secret": {"encoding": "base64", "prefix": "whsec_"},
        "timestamp": {
            "read_from": {"headers": ["X-Sig"], "separator": ",", "prefixes": ["t="]},
            "unit": "milliseconds",
            "tolerance_seconds": 60,
        },
    }

    definition = load_definition({**MINIMAL, "signature": signature})

    assert definition.signature == HmacScheme(
        read_from=HeaderEntries(headers=("X-Sig",), separator=",", prefixes=("v1=",)),
        encodings=(Encoding.BASE64,),
        signed=(
            TemplatePart(kind=PartKind.TEXT, text="v0:"),
            TemplatePart(kind=PartKind.TIMESTAMP),
            TemplatePart(kind=PartKind.TEXT, text=":"),
            TemplatePart(kind=PartKind.HEADER, text="x-id"),
            TemplatePart(kind=PartKind.BODY),
        ),
        secret=SecretFormat(encoding=SecretEncoding.BASE64, prefix="whsec_"),
        timestamp=TimestampRule(
            read_from=HeaderEntries(
                headers=("X-Sig",), separator=",", prefixes=("t=",)
            ),
            unit=TimestampUnit.MILLISECONDS,
            tolerance_seconds=60,
        ),
    )


def test_headers_with_credentials_are_listed() -> None:
    definition = load_definition(
        {
            **MINIMAL,
            "signature": {"kind": "token", "read_from": {"headers": ["X-Acme-Token"]}},
            "credential_headers": ["X-Api-Key"],
        }
    )

    assert definition.credential_headers == {
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-acme-token",
        "x-api-key",
    }


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"slug": "../etc"}, "/slug"),
        ({"slug": "a\n"}, "/slug"),
        ({"name": 7}, "/name"),
        ({"name": "nul \x00"}, "/name"),
        ({"name": "lone \ud800"}, "/name"),
        ({"documentation_url": "javascript:alert(1)"}, "/documentation_url"),
        ({"surprise": 1}, ""),
        ({"default_methods": ["HEAD"]}, "/default_methods/0"),
        ({"max_body_bytes": 26_214_401}, "/max_body_bytes"),
        ({"event_type": [{"header": "A", "body": "/b"}]}, "/event_type/0"),
        ({"event_type": [{"body": "type"}]}, "/event_type/0/body"),
        ({"delivery_id": [{"constant": "same"}]}, "/delivery_id/0"),
        ({"signature": {"kind": "rot13"}}, "/signature/kind"),
        ({"signature": {"kind": "hmac", "signed": "{body}"}}, "/signature"),
        ({"signature": {**BODY_HMAC, "hash": "md5"}}, "/signature/hash"),
        ({"signature": {**BODY_HMAC, "signed": "{body"}}, "/signature/signed"),
        ({"signature": {**BODY_HMAC, "signed": "{body!r}"}}, "/signature/signed"),
        (
            {"signature": {**BODY_HMAC, "signed": "{body.__class__}"}},
            "/signature/signed",
        ),
        ({"signature": {**BODY_HMAC, "signed": "nothing"}}, "/signature/signed"),
        (
            {"signature": {**BODY_HMAC, "signed": "{timestamp}{body}"}},
            "/signature/signed",
        ),
        ({"signature_required": True}, "/signature_required"),
    ],
)
def test_a_faulty_definition_is_rejected_with_a_pointer(
    fields: dict[str, object], pointer: str
) -> None:
    assert [fault.pointer for fault in faults_of(**fields)] == [pointer]


def test_a_missing_field_is_named() -> None:  # R181
    with pytest.raises(InvalidDefinition) as raised:
        load_definition({"slug": "acme"})

    assert raised.value.faults == (Fault("", "'name' is a required property"),)


def test_an_unsigned_timestamp_is_rejected() -> None:
    timestamp = {"read_from": {"headers": ["X-Time"]}}

    faults = faults_of(signature={**BODY_HMAC, "timestamp": timestamp})

    detail = "a timestamp proves nothing unless {timestamp} is signed"
    assert faults == (Fault("/signature/signed", detail),)


def test_a_value_that_is_nested_too_deeply_is_rejected() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]

    assert faults_of(name=deep) == (Fault("", "is nested too deeply"),)


def test_the_detail_of_a_fault_has_a_maximum_length() -> None:
    (fault,) = faults_of(slug="!" * 10_000)

    assert len(fault.detail) == 300


def test_handshakes_and_answers_are_loaded() -> None:
    definition = load_definition(
        {
            **MINIMAL,
            "handshakes": [
                {
                    "when": {
                        "method": "POST",
                        "equals": [{"body": "/type", "is": 1}],
                        "present": [{"query": "token"}],
                    },
                    "matches_config": [{"query": "token", "config": "verify_token"}],
                    "answer": {"json": {"type": 1, "token": "<{query:token}>"}},
                }
            ],
        }
    )

    [handshake] = definition.handshakes
    token = QuerySource(name="token")
    assert handshake.is_signed
    assert handshake.when.expected == (
        ExpectedValue(source=BodySource(path=("type",)), value=1),
    )
    assert handshake.when.present == (token,)
    assert handshake.matches == (ConfigMatch(source=token, key="verify_token"),)
    assert handshake.answer.body["type"] == 1
    assert handshake.answer.body["token"].parts == ("<", Placeholder(source=token), ">")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"response": {"json": {}, "text": "x"}}, "/response"),
        ({"response": {"status": 500}}, "/response/status"),
        ({"response": {"headers": {"Set-Cookie": "a=b"}}}, "/response/headers"),
        ({"handshakes": [{"when": {"method": "GET"}, "answer": {}}]}, "/handshakes/0"),
        ({"json_schema": {"type": "objekt"}}, "/json_schema/type"),
        ({"json_schema": {"pattern": "(?=a)"}}, "/json_schema/pattern"),
        ({"delivery_id": [{"body_hash": {"window_seconds": 0}}]}, "/delivery_id/0"),
        ({"delivery_id": [{"constant": "x"}]}, "/delivery_id/0"),
        ({"config_matches": [{"body": "/a"}]}, "/config_matches/0"),
        (
            {"config_matches": [{"body": "/a", "query": "a", "config": "b"}]},
            "/config_matches/0",
        ),
        (
            {"delivery_id": [{"join": [{"constant": "a"}, {"body": "/b"}]}]},
            "/delivery_id",
        ),
        ({"event_type": [{"join": [{"constant": "a"}] * 2}]}, "/event_type/0"),
        ({"event_type": [{"constant": "a", "names": {"a": "b"}}]}, "/event_type/0"),
        ({"event_type": [{"body": "/a", "names": {"1": "a b"}}]}, "/event_type/0"),
        (
            {"response": {"content_type": "text/xml", "text": "<{body:/a}/>"}},
            "/response",
        ),
        ({"response": {"content_type": "text/xml", "json": {}}}, "/response"),
        ({"responses": [{"when": {}, "answer": {}}]}, "/responses/0/when"),
        ({"validation_code": "x" * 65_537}, "/validation_code"),
    ],
)
def test_a_fault_has_a_pointer(fields: dict[str, object], pointer: str) -> None:
    assert any(fault.pointer.startswith(pointer) for fault in faults_of(**fields))


def test_any_head_request_can_be_a_handshake() -> None:
    handshakes = [{"when": {"method": "HEAD"}, "answer": {}}]

    [handshake] = load_definition({**MINIMAL, "handshakes": handshakes}).handshakes

    assert (handshake.method, handshake.when) == ("HEAD", RequestCriteria())


def test_the_pattern_of_a_token_must_take_linear_time() -> None:
    read_from = {"headers": ["X-Acme-Token"]}

    def faults(pattern: str) -> tuple[Fault, ...]:
        secret = {"pattern": pattern}
        return faults_of(
            signature={"kind": "token", "read_from": read_from, "secret": secret}
        )

    assert faults("(?=a)")[0].pointer.startswith("/signature")
    assert faults("(a")[0].pointer.startswith("/signature")
