from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.client import Api
from tests.acceptance.fixtures import shown_stack
from tests.acceptance.stack import PATIENT_WEB, Stack


@pytest.fixture(scope="session")
def shared_stack(
    servers: None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """A web server and a worker for all modules that need no other settings."""
    with shown_stack(request, tmp_path_factory) as made:
        made.start("web", app=PATIENT_WEB)
        made.start("worker")
        yield made


@pytest.fixture(scope="session")
def shared_agent(shared_stack: Stack) -> str:
    """Return the id of an echo agent on the shared stack."""
    return Api(shared_stack).make_echo_agent()


@pytest.fixture(scope="module")
def stack(
    servers: None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """A database and a broker for the module; the tests start the programs."""
    with shown_stack(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def client(stack: Stack) -> Api:
    return Api(stack)
