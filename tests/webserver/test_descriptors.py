from __future__ import annotations

import resource

import pytest

from local.environment import ROOT
from local.programs import read_procfile
from webserver import descriptors
from webserver.descriptors import MAX_CONNECTIONS, allow_all_connections

ENOUGH = MAX_CONNECTIONS + 200


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pairs of limits, soft and hard, that were set; the last one applies."""
    kept: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: kept[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: kept.append(pair))
    return kept


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 500_000), (ENOUGH, 500_000)),
        ((1024, resource.RLIM_INFINITY), (ENOUGH, resource.RLIM_INFINITY)),
        ((20_000, 20_000), (20_000, 20_000)),
        ((resource.RLIM_INFINITY,) * 2, (resource.RLIM_INFINITY,) * 2),
    ],
)
def test_the_limit_of_files_is_raised_to_the_number_of_connections(
    limits: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
    before: tuple[int, int],
    after: tuple[int, int],
) -> None:
    limits.append(before)

    allow_all_connections()

    assert limits[-1] == after
    assert caplog.records == []


def test_a_limit_of_files_that_stays_too_low_is_logged(
    limits: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    limits.append((1024, 2048))

    allow_all_connections()

    assert limits[-1] == (2048, 2048)
    assert "a web process 2048 open files" in caplog.text


def test_the_procfile_and_the_limit_of_files_agree() -> None:
    values = {"TICKHOOK_HOST": "h", "TICKHOOK_PORT": "1", "FLOWER_PORT": "2"}
    [web] = [p for p in read_procfile(ROOT / "Procfile", values) if p.name == "web"]

    place = web.command.index("--backpressure")

    assert web.command[place + 1] == str(descriptors.MAX_CONNECTIONS)
