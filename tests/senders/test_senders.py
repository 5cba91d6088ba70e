"""Verifies and identifies each sample of each sender, and rejects each change of it.

The requests are rows of `table.py`; what only one sender does is tested in
`tests/webhooks/types`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from senders.definitions import resolve, shipped_slugs
from senders.parsing.bodies import split_array
from senders.signatures import FailureReason, InvalidSignature
from tests.senders.forms import BODY_HASH
from tests.senders.requests import FORM, SAMPLES, Sent, failure, identify
from tests.senders.table import ROWS, SENDERS, Row

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_with_header = pytest.mark.parametrize(
    "row", [r for r in ROWS if r.form.covered.signature], ids=lambda row: row.name
)
each_with_tolerance = pytest.mark.parametrize(
    "row", [r for r in ROWS if r.form.tolerance], ids=lambda row: row.name
)
each_without_tolerance = pytest.mark.parametrize(
    "row", [r for r in ROWS if not r.form.tolerance], ids=lambda row: row.name
)


def changes(row: Row) -> Iterator[tuple[str, Sent]]:
    """Yield the request with one thing changed that the signature covers."""
    sent, covered = row.sent, row.form.covered
    yield "secret", sent.but(secret=row.form.other_secret)
    for name in filter(None, (covered.signature, *covered.headers)):
        yield f"without {name}", sent.without(name)
        yield name, sent.plus(**{name: change_text(sent.headers[name])})
    if covered.body and covered.signature is not None:
        added = b"&x=1" if sent.content_type == FORM else b" "
        yield "body", sent.but(body=sent.body + added)
    if covered.url:
        yield "url", sent.but(url=sent.url.replace("wht_1", "wht_2"))
        yield "query", sent.but(url=sent.url + "&x=1")
    if covered.method:
        yield "method", sent.but(method="PUT")
    for name, forge in row.form.forged.items():
        yield f"forged {name}", forge(sent)


def change_text(value: str) -> str:
    """Return the text with a significant character near its end replaced."""
    place = len(value.rstrip("=")) - 3
    other = "0" if value[place] != "0" else "1"
    return value[:place] + other + value[place + 1 :]


CHANGES = [
    pytest.param(changed, id=f"{row.name}: {name}")
    for row in ROWS
    for name, changed in changes(row)
]


def test_the_table_has_each_type_and_each_sample() -> None:
    files = {(path.parent.name, path.stem) for path in SAMPLES.glob("*/*.json")}

    assert sorted(SENDERS) == shipped_slugs()
    assert {(row.sent.slug, row.event.sample) for row in ROWS} == files


@each_row
def test_a_sample_is_verified_and_identified(row: Row) -> None:
    row.sent.verify()

    sent = row.sent
    if resolve(sent.slug).batch is not None and sent.body.startswith(b"["):
        sent = sent.but(body=split_array(sent.body)[0])
    found = identify(sent)
    assert found.event_type == f"{sent.slug}.{row.form.type or row.event.type}"
    events = resolve(sent.slug).events
    assert events is None or row.form.type or row.event.type in events
    if row.event.delivery_id == BODY_HASH:
        assert (found.delivery_id or "").startswith("sha256:")
        other = identify(sent.but(body=sent.body + b" "))
        assert other.delivery_id != found.delivery_id
    else:
        assert found.delivery_id == row.event.delivery_id


@pytest.mark.parametrize("changed", CHANGES)
def test_a_changed_request_is_rejected(changed: Sent) -> None:
    with pytest.raises(InvalidSignature):
        changed.verify()


@each_with_header
def test_the_failure_reason_names_what_is_wrong(row: Row) -> None:
    without = row.sent.without(str(row.form.covered.signature))

    assert failure(without) == FailureReason.MISSING_HEADER
    other = row.sent.but(secret=row.form.other_secret)
    assert failure(other) == FailureReason.NO_MATCH


@each_with_tolerance
def test_a_signature_is_valid_for_the_documented_time(row: Row) -> None:
    sent, tolerance = row.sent, row.form.tolerance
    assert sent.now is not None
    assert tolerance is not None

    for offset in (-tolerance, tolerance):
        sent.but(now=sent.now + offset).verify()
    for offset in (-tolerance - 1, tolerance + 1):
        reason = failure(sent.but(now=sent.now + offset))
        assert reason == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


@each_without_tolerance
def test_without_a_tolerance_a_signature_is_valid_at_any_time(row: Row) -> None:
    for now in (0, 4e9):
        row.sent.but(now=now).verify()
