from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.client import Api
from tests.acceptance.clock import Clock
from tests.acceptance.fixtures import shown_stack

# The schedulers of `celery beat`, by the name that the test ids show.
CLOCKS = {
    "shipped": "triggers.clocks.scheduler:TickhookScheduler",
    "stock": "django_celery_beat.schedulers:DatabaseScheduler",
}


@pytest.fixture(scope="module", params=CLOCKS)
def clock(
    servers: None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Clock]:
    """A stack with one of the clocks."""
    with shown_stack(request, tmp_path_factory) as stack:
        stack.environment["CELERY_BEAT_SCHEDULER"] = CLOCKS[request.param]
        stack.start("web", "worker", "beat")
        api = Api(stack)
        yield Clock(stack=stack, api=api, agent_id=api.make_echo_agent())
