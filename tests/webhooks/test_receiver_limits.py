from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.conf import LazySettings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from common import rate_limits
from common.redis import CircuitBreaker, ask_redis
from events.models import Event
from tests.senders.requests import SECRET, hex_hmac
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.limits import full_windows
from webhooks.models import Rejection, WebhookEndpoint
from webhooks.rejections.fixes import how_to_fix
from webhooks.rejections.recording import flush_rejections

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

BODY = b'{"a":1}'
HERE, ELSEWHERE = "203.0.113.1", "203.0.113.2"


def signed_endpoint(**rules: Any) -> WebhookEndpoint:
    return create_endpoint(config={"secret": SECRET}, validation_rules=rules).endpoint


def send(
    endpoint: WebhookEndpoint,
    *,
    address: str = HERE,
    is_forged: bool = False,
    forwarded_for: str = "",
) -> Answer:
    signature = "0" * 64 if is_forged else hex_hmac(BODY)
    headers = {"X-Webhook-Signature": signature}
    if forwarded_for:
        headers["X-Forwarded-For"] = forwarded_for
    return Client(REMOTE_ADDR=address).post(
        f"/webhooks/{endpoint.webhook_id}", BODY, "application/json", headers=headers
    )


def statuses(endpoint: WebhookEndpoint, times: int, **how: Any) -> list[int]:
    return [send(endpoint, **how).status_code for _ in range(times)]


def test_exactly_the_limit_of_an_endpoint_is_accepted() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 10})

    assert statuses(endpoint, 30) == [200] * 10 + [429] * 20
    assert Event.objects.count() == 10


def test_a_refusal_says_when_to_retry() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 1})
    send(endpoint)

    answer = send(endpoint)

    retry_after = int(answer.headers["Retry-After"])
    assert 54 <= retry_after <= 66
    assert answer.headers["RateLimit-Policy"] == '"endpoint";q=1;w=60'
    assert answer.headers["RateLimit"] == f'"endpoint";r=0;t={retry_after}'
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["error_code"] == "endpoint_rate_limited"


def test_an_accepted_request_gets_what_is_left_of_the_limit() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 10})

    answers = [send(endpoint) for _ in range(2)]

    left = [answer.headers["RateLimit"] for answer in answers]
    assert left == ['"endpoint";r=9;t=60', '"endpoint";r=8;t=60']


def test_the_limits_per_hour_and_per_minute_both_apply() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 5, "per_hour": 2})

    assert statuses(endpoint, 3) == [200, 200, 429]
    assert int(send(endpoint).headers["Retry-After"]) > 3000


def test_an_endpoint_without_its_own_limit_has_that_of_the_server(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_ENDPOINT_LIMIT = 2

    assert statuses(signed_endpoint(), 3) == [200, 200, 429]
    assert statuses(signed_endpoint(rate_limit={"per_minute": 0}), 3) == [200] * 3


def test_all_endpoints_share_the_global_limit(settings: LazySettings) -> None:
    settings.TICKHOOK_GLOBAL_LIMIT = 2
    endpoints = [signed_endpoint() for _ in range(3)]

    answers = [send(endpoint) for endpoint in endpoints]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error_code"] == "global_rate_limited"


def test_the_limit_of_an_address_does_not_affect_another(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_ADDRESS_LIMIT = 2
    endpoint = signed_endpoint()

    assert statuses(endpoint, 3) == [200, 200, 429]
    assert send(endpoint).json()["error_code"] == "address_rate_limited"
    assert send(endpoint, address=ELSEWHERE).status_code == 200


def test_an_ipv6_sender_is_limited_by_its_network(settings: LazySettings) -> None:
    settings.TICKHOOK_ADDRESS_LIMIT = 1
    endpoint = signed_endpoint()

    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1")
    answered = [send(endpoint, address=a).status_code for a in addresses]

    assert answered == [200, 429, 200, 200]
    assert send(endpoint, address="192.0.2.1").status_code == 429


def test_forged_requests_do_not_count_for_the_endpoint() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 2})

    assert set(statuses(endpoint, 20, is_forged=True)) == {401}

    assert send(endpoint).headers["RateLimit"] == '"endpoint";r=1;t=60'


def test_an_address_that_forges_too_much_is_refused_for_a_while(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 3
    endpoint = signed_endpoint()

    answers = [send(endpoint, is_forged=True) for _ in range(5)]

    assert [a.status_code for a in answers] == [401, 401, 401, 429, 429]
    assert answers[4].json()["error_code"] == "forgery_rate_limited"
    assert send(endpoint).status_code == 429
    assert_nothing_happened()
    assert send(endpoint, address=ELSEWHERE).status_code == 200


def test_another_process_refuses_that_address_too(settings: LazySettings) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 1
    endpoint = signed_endpoint()
    statuses(endpoint, 2, is_forged=True)

    full_windows.clear()

    assert send(endpoint).status_code == 429
    assert_nothing_happened()


def test_requests_to_unknown_webhooks_count_as_forgeries(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 2
    unknown = WebhookEndpoint(webhook_id="wht_unknown")

    assert statuses(unknown, 4) == [404, 404, 429, 429]
    assert statuses(signed_endpoint(), 1) == [429]


def test_an_address_known_to_be_over_its_limit_costs_no_redis_call_and_no_signature(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 1
    endpoint = signed_endpoint()
    statuses(endpoint, 2, is_forged=True)

    monkeypatch.setattr(rate_limits, "_call", None)
    monkeypatch.setattr("webhooks.receiver.checks.verify_sender", None)

    assert send(endpoint, is_forged=True).status_code == 429


def test_x_forwarded_for_of_an_untrusted_client_is_ignored(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_ADDRESS_LIMIT = 2
    endpoint = signed_endpoint()

    answered = [
        send(endpoint, forwarded_for=f"198.51.100.{n}").status_code for n in range(3)
    ]

    assert answered == [200, 200, 429]


def test_x_forwarded_for_of_a_trusted_proxy_counts(settings: LazySettings) -> None:
    settings.TICKHOOK_ADDRESS_LIMIT = 1
    settings.TRUSTED_PROXIES = [ip_network(HERE)]
    endpoint = signed_endpoint()

    clients = ("198.51.100.1", "198.51.100.2", "198.51.100.1")
    answered = [send(endpoint, forwarded_for=c).status_code for c in clients]

    assert answered == [200, 200, 429]


def test_counting_a_request_is_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    exchange = rate_limits._exchange

    def record_call(*command: Any) -> bytes:
        calls.append(command)
        return exchange(*command)

    endpoint = signed_endpoint(rate_limit={"per_minute": 9, "per_hour": 9})
    send(endpoint)
    monkeypatch.setattr(rate_limits, "_exchange", record_call)

    send(endpoint)
    send(endpoint, is_forged=True)

    assert len(calls) == 2


@pytest.mark.parametrize(("is_forged", "queries"), [(False, 2), (True, 1)])
def test_limits_cost_no_query(
    is_forged: bool, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    endpoint = signed_endpoint()

    with django_assert_num_queries(queries):
        send(endpoint, is_forged=is_forged)


def test_without_limits_redis_is_not_called(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ADDRESS", "FORGERY", "ENDPOINT", "GLOBAL"):
        setattr(settings, f"TICKHOOK_{name}_LIMIT", 0)
    settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR = 0
    monkeypatch.setattr(rate_limits, "_call", None)

    answer = send(signed_endpoint())

    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


def test_without_an_address_only_the_endpoint_is_limited() -> None:
    endpoint = signed_endpoint(rate_limit={"per_minute": 1})

    assert statuses(endpoint, 2, address="") == [200, 429]
    assert ask_redis(lambda r: len(r.keys("*:address:*")), otherwise=-1) == 0


def test_the_bytes_of_an_endpoint_are_limited_by_the_hour(
    settings: LazySettings,
) -> None:
    settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR = 3 * len(BODY)
    endpoint = signed_endpoint()

    assert statuses(endpoint, 5) == [200, 200, 200, 429, 429]
    refused = send(endpoint)

    assert refused.json()["error_code"] == "endpoint_bytes_limited"
    assert 3200 < int(refused.headers["Retry-After"]) <= 3960
    assert refused.headers["RateLimit-Policy"].startswith('"endpoint-bytes";q=21;')
    assert Event.objects.count() == 3
    assert send(signed_endpoint()).status_code == 200


def test_forged_bytes_are_not_counted(settings: LazySettings) -> None:
    settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR = len(BODY)
    endpoint = signed_endpoint()

    assert set(statuses(endpoint, 5, is_forged=True)) == {401}
    assert send(endpoint).status_code == 200


def test_a_refusal_by_bytes_is_recorded_with_a_fix(settings: LazySettings) -> None:
    settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR = 1
    endpoint = signed_endpoint()

    send(endpoint)
    flush_rejections()

    rejection = Rejection.objects.get()
    assert (rejection.cause, rejection.status) == ("endpoint_bytes_limited", 429)
    assert "TICKHOOK_ENDPOINT_BYTES_PER_HOUR" in how_to_fix(rejection.cause)


def test_without_redis_no_bytes_are_refused(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKHOOK_ENDPOINT_BYTES_PER_HOUR = 1
    breaker = CircuitBreaker(rate_limits.probe, consequence="")
    monkeypatch.setattr(rate_limits, "breaker", breaker)

    def fail(*_: Any) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(rate_limits, "_call", fail)

    assert statuses(signed_endpoint(), 3) == [200] * 3
