from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers

from access.callers import caller_of
from access.policy import Act, log_payload_read, may

_M = TypeVar("_M", bound=Model)


class PayloadSerializer(serializers.ModelSerializer[_M]):
    """Rows with members that only callers with `payload_act` see; else they are null.

    Each reading of such members is logged: one line for a row, or for a page of a list
    whose serializer has `PayloadListSerializer`.
    """

    payload_act: ClassVar[Act]
    payload_members: ClassVar[tuple[str, ...]]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        hidden = dict.fromkeys(name for name in self.payload_members if name in shown)
        caller = caller_of(self.context["request"])
        if not hidden:
            return shown
        if not may(caller, self.payload_act):
            return {**shown, **hidden}
        if not isinstance(self.parent, PayloadListSerializer):
            log_payload_read(caller, instance._meta.model_name, instance.pk)
        return shown


class PayloadListSerializer(serializers.ListSerializer[Any]):
    """A page of rows with payloads; reading it is one line in the log."""

    def to_representation(self, data: Any) -> list[Any]:
        rows = list(data)
        child, caller = self.child, caller_of(self.context["request"])
        assert isinstance(child, PayloadSerializer)  # noqa: S101 - its serializers name this class
        if rows and may(caller, child.payload_act):
            pages = f"{len(rows)} rows from {rows[0].pk} to {rows[-1].pk}"
            log_payload_read(caller, rows[0]._meta.model_name, pages)
        return super().to_representation(rows)
