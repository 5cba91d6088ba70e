from __future__ import annotations

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from access.serializers import PayloadSerializer
from common.api.serializers import StrictSerializer
from webhooks.access import DELIVERY_PAYLOADS
from webhooks.deliveries.redelivery import MAX_REDELIVERED
from webhooks.deliveries.selectors import (
    Definitions,
    body_of,
    load_definitions,
    redeliveries_of,
    request_of,
    status_of,
)
from webhooks.endpoints.sending import TEST_HEADER
from webhooks.models import Delivery, DeliveryOutcome
from webhooks.rejections.fixes import how_to_fix


class DeliverySerializer(PayloadSerializer[Delivery]):
    """A delivery; `request` is null without the right to payloads."""

    payload_act = DELIVERY_PAYLOADS
    payload_members = ("request",)

    cause = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    method = serializers.SerializerMethodField()
    remote_address = serializers.SerializerMethodField()
    is_test = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "id", "outcome", "cause", "status", "event_type", "delivery_id",
            "endpoint_id", "event_id", "replay_of", "received_at", "method",
            "remote_address", "body_size", "is_test",
        )  # fmt: skip
        read_only_fields = fields

    def get_cause(self, delivery: Delivery) -> str | None:
        return delivery.cause or None

    @cached_property
    def _definitions(self) -> Definitions:
        """The webhook types of all deliveries of this page, read with one query."""
        shown: Any = self.instance
        if isinstance(self.parent, serializers.ListSerializer):
            shown = self.parent.instance
        return load_definitions([shown] if isinstance(shown, Delivery) else shown)

    def get_status(self, delivery: Delivery) -> int:
        return status_of(delivery, self._definitions)

    def get_method(self, delivery: Delivery) -> str:
        return request_of(delivery).method

    def get_remote_address(self, delivery: Delivery) -> str:
        return request_of(delivery).remote_address

    def get_is_test(self, delivery: Delivery) -> bool:
        return TEST_HEADER in request_of(delivery).headers


class DeliveredRequestSerializer(serializers.Serializer[Any]):
    """`read_as` is `json` for JSON that was declared as something else."""

    method = serializers.CharField()
    headers = serializers.DictField()
    query = serializers.DictField()
    remote_address = serializers.CharField()
    read_as = serializers.CharField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())


class DeliveredBodySerializer(serializers.Serializer[Any]):
    """`size` is the size of the whole body, null if it is not known."""

    size = serializers.IntegerField(allow_null=True)
    content_type = serializers.CharField()
    truncated = serializers.BooleanField()
    url = serializers.URLField()


class AnswerSerializer(serializers.Serializer[Any]):
    status = serializers.IntegerField()
    cause = serializers.CharField(allow_null=True)
    detail = serializers.CharField()


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with its request, the answer, and what followed from it."""

    request = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()
    how_to_fix = serializers.SerializerMethodField()
    redelivered_as = serializers.SerializerMethodField()
    executions_url = serializers.SerializerMethodField()

    class Meta(DeliverySerializer.Meta):
        fields = (
            *DeliverySerializer.Meta.fields, "request", "body", "answer", "how_to_fix",
            "redelivered_as", "executions_url",
        )  # fmt: skip
        read_only_fields = fields

    def get_request(self, delivery: Delivery) -> DeliveredRequestSerializer:
        return DeliveredRequestSerializer(request_of(delivery)).data  # type: ignore[return-value]  # the schema's

    def get_body(self, delivery: Delivery) -> DeliveredBodySerializer:
        body, headers = body_of(delivery), request_of(delivery).headers
        return {  # type: ignore[return-value]  # the annotation is the schema's
            "size": delivery.body_size,
            "content_type": delivery.content_type or headers.get("content-type", ""),
            "truncated": body is None or body.is_truncated,
            "url": reverse(
                "delivery-body",
                kwargs={"pk": delivery.pk},
                request=self.context["request"],
            ),
        }

    def get_answer(self, delivery: Delivery) -> AnswerSerializer:
        return {  # type: ignore[return-value]  # the annotation is the schema's
            "status": status_of(delivery, self._definitions),
            "cause": delivery.cause or None,
            "detail": delivery.detail,
        }

    def get_how_to_fix(self, delivery: Delivery) -> str:
        return how_to_fix(delivery.cause)

    def get_redelivered_as(self, delivery: Delivery) -> list[str]:
        return [str(pk) for pk in redeliveries_of(delivery)]

    def get_executions_url(self, delivery: Delivery) -> str | None:
        if delivery.event_id is None:
            return None
        url = reverse("execution-list", request=self.context["request"])
        return f"{url}?event_id={delivery.event_id}"


class RedeliverSerializer(StrictSerializer):
    """An idempotency key (or the header Idempotency-Key) allows one new event."""

    idempotency_key = serializers.CharField(required=False, max_length=1000)


class RedeliverManySerializer(RedeliverSerializer):
    """At least one of the filters of the list."""

    endpoint_id = serializers.CharField(required=False)
    delivery_id = serializers.CharField(required=False)
    event_type = serializers.CharField(required=False)
    start_date = serializers.CharField(required=False)
    end_date = serializers.CharField(required=False)
    limit = serializers.IntegerField(
        default=100, min_value=1, max_value=MAX_REDELIVERED
    )
    dry_run = serializers.BooleanField(default=False)


class RedeliveredSerializer(serializers.Serializer[Any]):
    delivery_id = serializers.UUIDField()
    event_id = serializers.UUIDField()
    duplicate = serializers.BooleanField(source="is_duplicate")


class RedeliveredWithUrlSerializer(RedeliveredSerializer):
    status_url = serializers.URLField()


class RedeliveredManySerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    not_allowed = serializers.IntegerField()
    dry_run = serializers.BooleanField()
    delivery_ids = serializers.ListField(child=serializers.UUIDField())
    redeliveries = RedeliveredSerializer(many=True)
    next_from = serializers.DateTimeField(allow_null=True)


class TestEventSerializer(StrictSerializer):
    endpoint_id = serializers.UUIDField()
    event = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=200
    )


@extend_schema_serializer(component_name="Tested")
class SentTestEventSerializer(serializers.Serializer[Any]):
    """How the receiver answered a test event."""

    outcome = serializers.ChoiceField(choices=DeliveryOutcome.choices)
    status = serializers.IntegerField()
    cause = serializers.CharField(allow_null=True)
    detail = serializers.CharField()
    how_to_fix = serializers.CharField()
    event_id = serializers.UUIDField(allow_null=True)
    event_type = serializers.CharField()
    delivery_id = serializers.CharField()
    answer = serializers.CharField()
