"""All beats or all workers down for a while: the policy's runs and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for
from tests.chaos.clockwork import SECOND, Clockwork, every, make_clockwork
from tests.chaos.scale import IS_LONG

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

DOWN = (300 if IS_LONG else 15) * SECOND
PERIOD_SECONDS = 3
GRACE, WINDOW = SECOND, DOWN / 2
# Between the evaluation of an instant's lateness and the time that is stored for it.
TOLERANCE = 2 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantResult:
    """The result of an instant, and when it was evaluated if it ran."""

    at: datetime
    ran_at: datetime | None

    @property
    def delay(self) -> timedelta:
        assert self.ran_at is not None
        return self.ran_at - self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """A trigger of each policy, and the range in which all their instants are known."""

    clockwork: Clockwork
    trigger_ids: Mapping[str, str]
    start: datetime

    def results(self, catchup: str, end: datetime) -> list[InstantResult]:
        """Return the result of each instant; check that each has exactly one."""
        due, ran, missed = self._known(self.trigger_ids[catchup], end)
        assert sorted([*ran, *missed]) == due
        return [InstantResult(at=at, ran_at=ran.get(at)) for at in due]

    def wait_for_results(self, end: datetime) -> None:
        """Wait until each instant of all triggers up to `end` has a result."""

        def has_all(trigger_id: str) -> bool:
            due, ran, missed = self._known(trigger_id, end)
            return {*ran, *missed} == set(due)

        wait_for(
            lambda: all(map(has_all, self.trigger_ids.values())), timeout_seconds=60
        )

    def _known(
        self, trigger_id: str, end: datetime
    ) -> tuple[list[datetime], dict[datetime, datetime], list[datetime]]:
        """Return the instants of a trigger, when some ran, and which were missed."""
        due = self.clockwork.due(trigger_id, self.start, end)
        ran, missed = self._executions(trigger_id, end)
        for first, last in self._missed_ranges(trigger_id):
            missed += [at for at in due if first <= at <= last]
        return due, ran, missed

    def _executions(
        self, trigger_id: str, end: datetime
    ) -> tuple[dict[datetime, datetime], list[datetime]]:
        rows = self.clockwork.stack.rows(
            "SELECT e.scheduled_for, x.executed_at, x.status, x.reason "
            "FROM executions_triggerexecution x "
            "JOIN events_event e ON e.id = x.event_id WHERE x.trigger_id = %s "
            "AND e.scheduled_for > %s AND e.scheduled_for <= %s",
            trigger_id,
            self.start,
            end,
        )
        ran = {
            at: evaluated_at
            for at, evaluated_at, status, _ in rows
            if status == "success"
        }
        assert {(status, reason) for _, _, status, reason in rows} <= {
            ("success", ""),
            ("skipped", "missed"),
        }
        return ran, [at for at, _, _, reason in rows if reason == "missed"]

    def _missed_ranges(self, trigger_id: str) -> list[tuple[datetime, datetime]]:
        rows = self.clockwork.stack.rows(
            "SELECT convert_from(e.body, 'UTF8') FROM events_event e "
            "JOIN executions_triggerexecution x ON x.event_id = e.id "
            "WHERE e.trigger_id = %s AND e.type = 'schedule.missed'",
            trigger_id,
        )
        bodies = [json.loads(body) for (body,) in rows]
        read = datetime.fromisoformat
        return [(read(body["from"]), read(body["to"])) for body in bodies]


@pytest.fixture
def policies(stack: Stack, client: Api) -> Policies:
    stack.start("web", "worker", "beat")
    kinds = ("none", "latest", "all")
    clockwork = make_clockwork(
        stack,
        client,
        [
            every(
                PERIOD_SECONDS,
                catchup=kind,
                misfire_grace_seconds=GRACE // SECOND,
                catchup_window_seconds=WINDOW // SECOND,
            )
            for kind in kinds
        ],
    )
    start = clockwork.now()
    clockwork.wait_until(start + 2 * PERIOD_SECONDS * SECOND)
    return Policies(
        clockwork=clockwork,
        trigger_ids=dict(zip(kinds, clockwork.schedules, strict=True)),
        start=start,
    )


@pytest.mark.parametrize("program", ["beat", "worker"])
def test_after_a_downtime_the_policy_decides_what_runs(
    stack: Stack,
    client: Api,
    policies: Policies,
    program: str,
    note_figure: Callable[[str, object], None],
) -> None:
    stack.kill(program)
    clockwork = policies.clockwork
    clockwork.wait_until(clockwork.now() + DOWN)
    stack.start(program)

    end = clockwork.now() + PERIOD_SECONDS * SECOND
    clockwork.wait_until(end)
    policies.wait_for_results(end)

    assert_on_time_only(policies.results("none", end))
    assert_latest(policies.results("latest", end))
    assert_all_of_the_window(policies.results("all", end))
    for kind, trigger_id in policies.trigger_ids.items():
        results = policies.results(kind, end)
        ran = sum(result.ran_at is not None for result in results)
        note_figure(f"{program} down, {kind}:", f"{ran} of {len(results)} ran")
        ledger = client.audit(trigger_id, policies.start, end)
        assert ledger["counts"]["fired"] == ran
        assert ledger["counts"]["missed"] == len(results) - ran
        assert ledger["unaccounted"] == []


def assert_on_time_only(results: list[InstantResult]) -> None:
    assert all(result.delay < GRACE + TOLERANCE for result in results if result.ran_at)
    assert any(result.ran_at is None for result in results)


def assert_latest(results: list[InstantResult]) -> None:
    """Check that one late instant ran: the last before its evaluation."""
    late = [f for f in results if f.ran_at and f.delay > GRACE + TOLERANCE]
    assert len(late) <= 1
    for result in late:
        assert result.ran_at is not None
        assert not any(result.at < f.at <= result.ran_at - GRACE for f in results)
    last_missed = max(result.at for result in results if result.ran_at is None)
    [after] = [f for f in results if f.at == last_missed + PERIOD_SECONDS * SECOND]
    assert after.ran_at is not None


def assert_all_of_the_window(results: list[InstantResult]) -> None:
    """Check that all instants within the window ran, and no older ones."""
    ran = [result for result in results if result.ran_at]
    assert max(result.delay for result in ran) < WINDOW + TOLERANCE
    assert max(result.delay for result in ran) > WINDOW - (PERIOD_SECONDS + 1) * SECOND
    first_late = max(ran, key=lambda result: result.delay)
    assert all(result.ran_at for result in results if result.at >= first_late.at)
