from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.client import Api
from tests.acceptance.fixtures import shown_stack
from tests.acceptance.stack import Stack


@pytest.fixture
def stack(
    servers: None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """A database and a broker for the test; the tests start the programs."""
    with shown_stack(request, tmp_path_factory) as made:
        yield made


@pytest.fixture
def client(stack: Stack) -> Api:
    return Api(stack)
