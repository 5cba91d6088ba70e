from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from agents import backends as package
from agents.backends import SubmissionFailed, backends, get_backend
from agents.models import AgentTask
from tests.factories import AgentFactory, make_task
from tests.memory_backend import MemoryBackend


def reject_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryBackend, "fail_next", 1)


def break_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    def send_task(*_: object, **__: object) -> None:
        raise OperationalError("no server")

    monkeypatch.setattr("agents.backends.celery.current_app.send_task", send_task)


def messages_of_the_broker() -> int:
    length: Any = redis.Redis.from_url(settings.REDIS_URL).llen("agents")
    return int(length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A valid config; how to make the agent reject; how many tasks it received."""

    config: dict[str, Any]
    reject: Callable[[pytest.MonkeyPatch], None]
    received: Callable[[], int]


SAMPLES = {
    "celery": Sample(
        config={"task": "agents.tasks.echo", "queue": "agents"},
        reject=break_the_broker,
        received=messages_of_the_broker,
    ),
    "memory": Sample(
        config={},
        reject=reject_in_memory,
        received=lambda: len(MemoryBackend.submitted),
    ),
}

every_backend = pytest.mark.parametrize("name", backends.names())


@pytest.fixture(autouse=True)
def _forget_submissions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryBackend, "submitted", [])


def task_for(backend: str) -> AgentTask:
    config = SAMPLES[backend].config
    return make_task(agent=AgentFactory.create(backend=backend, config=config))


def test_every_registered_backend_has_a_sample() -> None:
    assert backends.names() == sorted(SAMPLES)


def test_each_module_of_the_package_registers_a_backend() -> None:
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}

    registering = {
        cls.__module__.rpartition(".")[2]
        for name in backends.names()
        if (cls := backends.get(name)) and cls is not MemoryBackend
    }

    assert registering == modules


@every_backend
def test_a_backend_is_stateless(name: str) -> None:
    assert vars(get_backend(name)) == {}


@every_backend
def test_the_sample_config_is_valid(name: str) -> None:
    assert get_backend(name).check_config(SAMPLES[name].config) == []


@every_backend
def test_an_unknown_key_is_rejected_at_its_location(name: str) -> None:
    faults = get_backend(name).check_config({**SAMPLES[name].config, "surprise": 1})

    assert [fault.pointer for fault in faults] == ["/surprise"]


@every_backend
@pytest.mark.parametrize("value", [None, True, 1, "", [], {}, "\ud800"], ids=repr)
def test_a_value_of_another_kind_is_rejected_at_its_location(
    name: str, value: object
) -> None:
    for key in SAMPLES[name].config:
        faults = get_backend(name).check_config({**SAMPLES[name].config, key: value})

        assert [fault.pointer for fault in faults] == [f"/{key}"]


@every_backend
@pytest.mark.django_db
def test_a_task_can_be_submitted_more_than_once(name: str) -> None:
    task = task_for(name)

    get_backend(name).submit([task])
    get_backend(name).submit([task])

    assert SAMPLES[name].received() == 2


@every_backend
@pytest.mark.django_db
def test_a_rejecting_agent_is_a_failed_submission(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_for(name)
    SAMPLES[name].reject(monkeypatch)

    with pytest.raises(SubmissionFailed) as caught:
        get_backend(name).submit([task])

    assert caught.value.is_retryable
    assert SAMPLES[name].received() == 0
