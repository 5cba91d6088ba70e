from __future__ import annotations

from typing import Any

import pytest

from events.models import Inbox
from events.services.record import record_events
from executions.models import TriggerExecution
from executions.pipeline import type_code
from executions.pipeline.drain import drain
from senders.sandbox import SandboxUnavailable
from tests.executions.flow import history
from tests.executions.senders import Define, deliver, make_receiver, new_delivery
from tests.executions.senders import define as define  # is a fixture
from tests.factories import make_listener, new_event

pytestmark = pytest.mark.django_db

PARSES = "def parse(body): return {'found': body['id']}"


def away(*_: object, **__: object) -> Any:
    raise SandboxUnavailable


@pytest.mark.usefixtures("_ample_time_for_code")
@pytest.mark.parametrize("kind", ["parser", "validator"])
def test_a_sandbox_that_is_away_lets_only_its_events_wait(
    kind: str, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(
        custom_parser_code=PARSES if kind == "parser" else "",
        validation_code="def validate(): return True" if kind == "validator" else "",
        validation_required=kind == "validator",
    )
    trigger, other = make_receiver(), make_listener()
    record_events([new_delivery(trigger), new_event(), new_delivery(trigger)])

    with monkeypatch.context() as broken:
        broken.setattr(type_code, f"run_{kind}", away)
        assert drain() == 1
        assert drain() == 0
        assert (history(trigger), history(other)) == ([], ["success"])
        assert list(Inbox.objects.values_list("deaths", flat=True)) == [1, 1]

    assert drain() == 2
    assert history(trigger) == ["success", "success"]
    assert not Inbox.objects.exists()


def test_a_sandbox_that_is_away_is_asked_once_for_each_batch(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    asked: list[str] = []

    def note(code: str, **_: object) -> Any:
        asked.append(code)
        raise SandboxUnavailable

    monkeypatch.setattr(type_code, "run_parser", note)
    trigger = make_receiver()
    record_events([new_delivery(trigger) for _ in range(5)])

    drain()

    # Once in the batch, and once where they are tried again as a few.
    assert asked == [PARSES] * 2


def test_events_that_wait_for_the_sandbox_do_not_hold_up_a_full_batch(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 2)
    monkeypatch.setattr(type_code, "run_parser", away)
    trigger, other = make_receiver(), make_listener()
    record_events([*[new_delivery(trigger) for _ in range(2)], new_event()])

    drain()
    drain()

    assert (history(trigger), history(other)) == ([], ["success"])


def test_an_event_tried_apart_waits_for_the_sandbox_too(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    trigger = make_receiver()
    event = deliver(trigger)

    def break_down(*_: object) -> None:
        monkeypatch.setattr(type_code, "run_parser", away)
        raise RuntimeError

    monkeypatch.setattr("executions.pipeline.drain.admit", break_down)
    drain()

    assert not TriggerExecution.objects.exists()
    assert list(Inbox.objects.values_list("event", "deaths")) == [(event.id, 1)]
