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
    """Return the limits of this process, soft and hard; the last ones hold."""
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
def test_a_web_process_may_open_a_file_for_each_connection(
    limits: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
    before: tuple[int, int],
    after: tuple[int, int],
) -> None:
    limits.append(before)

    allow_all_connections()

    assert limits[-1] == after
    assert caplog.records == []


def test_a_system_that_allows_too_few_files_is_warned_of(
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
