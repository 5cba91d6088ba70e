"""Two events that kill their worker or break its INSERT, among many others."""

from __future__ import annotations

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_until_equal
from tests.chaos.deadly_app import DEADLY
from tests.chaos.load import Hook, make_hook, make_payloads
from tests.chaos.scale import IS_LONG, SEEDS, dice

pytestmark = pytest.mark.chaos

GOOD = 1000 if IS_LONG else 300
UNSTORABLE = "breaks the INSERT"
REFUSE_UNSTORABLE = f"""
CREATE FUNCTION refuse_unstorable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.parameters::text LIKE '%{UNSTORABLE}%' THEN
        RAISE EXCEPTION 'unstorable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_unstorable BEFORE INSERT ON agents_agenttask
FOR EACH ROW EXECUTE FUNCTION refuse_unstorable();
"""


@pytest.fixture
def hook(stack: Stack, client: Api) -> Hook:
    stack.start("web")
    stack.database.execute(REFUSE_UNSTORABLE)
    return make_hook(stack, client)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_two_poisonous_events_fail(
    stack: Stack, hook: Hook, seed: int
) -> None:
    chance = dice(seed)
    payloads: list[dict[str, object]] = make_payloads(chance, GOOD)
    for text in (DEADLY, UNSTORABLE):
        payloads.insert(chance.randrange(GOOD), {"text": text})
    hook.send(payloads)

    stack.start("worker", app="tests.chaos.deadly_app")

    expected = {("failed", "poison"): 2, ("success", ""): GOOD}
    wait_until_equal(lambda: outcomes(hook), expected, timeout_seconds=60)
    assert poisoned_texts(hook) == {DEADLY, UNSTORABLE}
    assert stack.number("SELECT count(*) FROM events_inbox") == 0


def outcomes(hook: Hook) -> dict[tuple[str, str], int]:
    rows = hook.stack.rows(
        "SELECT status, reason, count(*) FROM executions_triggerexecution "
        "WHERE trigger_id = %s GROUP BY status, reason",
        hook.all_id,
    )
    return {(status, reason): count for status, reason, count in rows}


def poisoned_texts(hook: Hook) -> set[str]:
    rows = hook.stack.rows(
        "SELECT convert_from(e.body, 'UTF8')::json->>'text' FROM events_event e "
        "JOIN executions_triggerexecution x ON x.event_id = e.id "
        "WHERE x.reason = 'poison' AND x.trigger_id = %s",
        hook.all_id,
    )
    return {text for (text,) in rows}
