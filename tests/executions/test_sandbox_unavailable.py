from __future__ import annotations

from typing import Any

import pytest

from events.models import Inbox
from events.services.record import record_events
from executions.models import TriggerExecution
from executions.pipeline import parse
from executions.pipeline.drain import drain
from senders.sandbox import SandboxUnavailable
from tests.executions.flow import history
from tests.executions.senders import Define, deliver, make_receiver, new_delivery
from tests.executions.senders import define as define  # is a fixture
from tests.factories import make_listener, new_event

pytestmark = pytest.mark.django_db

PARSES = "def parse(body): return {'found': body['id']}"


def unavailable(*_: object, **__: object) -> Any:
    raise SandboxUnavailable


@pytest.mark.usefixtures("_ample_time_for_code")
@pytest.mark.parametrize("kind", ["parser", "validator"])
def test_an_unavailable_sandbox_defers_only_the_events_that_need_it(
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
        broken.setattr(parse, f"run_{kind}", unavailable)
        assert drain() == 1
        assert drain() == 0
        assert (history(trigger), history(other)) == ([], ["success"])
        assert list(Inbox.objects.values_list("deaths", flat=True)) == [1, 1]

    assert drain() == 2
    assert history(trigger) == ["success", "success"]
    assert not Inbox.objects.exists()


def test_an_unavailable_sandbox_is_called_once_per_batch(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    calls: list[str] = []

    def note(code: str, **_: object) -> Any:
        calls.append(code)
        raise SandboxUnavailable

    monkeypatch.setattr(parse, "run_parser", note)
    trigger = make_receiver()
    record_events([new_delivery(trigger) for _ in range(5)])

    drain()

    # Once in the batch, and once when the deferred events are retried.
    assert calls == [PARSES] * 2


def test_deferred_events_do_not_hold_up_a_full_batch(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    monkeypatch.setattr("executions.pipeline.leases.MAX_EVENTS", 2)
    monkeypatch.setattr(parse, "run_parser", unavailable)
    trigger, other = make_receiver(), make_listener()
    record_events([*[new_delivery(trigger) for _ in range(2)], new_event()])

    drain()
    drain()

    assert (history(trigger), history(other)) == ([], ["success"])


def test_an_event_processed_by_trigger_is_deferred_too(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(custom_parser_code=PARSES)
    trigger = make_receiver()
    event = deliver(trigger)

    def fail(*_: object) -> None:
        monkeypatch.setattr(parse, "run_parser", unavailable)
        raise RuntimeError

    monkeypatch.setattr("executions.pipeline.drain.admit", fail)
    drain()

    assert not TriggerExecution.objects.exists()
    assert list(Inbox.objects.values_list("event", "deaths")) == [(event.id, 1)]
