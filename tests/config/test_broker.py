from __future__ import annotations

import pytest

from config.celery import app, shorten_broker_timeouts, transport_options


def test_a_worker_waits_longer_than_its_request_for_messages_blocks() -> None:
    options = transport_options("redis://127.0.0.1/0")

    assert options["socket_timeout"] == options["health_check_interval"] == 5
    assert options["socket_connect_timeout"] == 2
    assert "confirm_publish" not in options


def test_rabbitmq_confirms_and_is_given_none_of_the_options_of_redis() -> None:
    options = transport_options("amqps://host//")

    assert options["confirm_publish"]
    assert "visibility_timeout" not in options


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "amqp://host//"])
def test_a_web_process_gives_up_after_a_second(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    usual = transport_options(url)
    monkeypatch.setitem(app.conf, "broker_transport_options", usual)

    shorten_broker_timeouts()

    shortened = app.conf.broker_transport_options
    limits = {name for name in usual if name.endswith("_timeout")}
    limits.discard("visibility_timeout")
    assert limits
    assert {shortened[name] for name in limits} == {1}
    assert {**shortened, **{name: usual[name] for name in limits}} == usual
