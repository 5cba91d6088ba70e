from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers

from access.callers import caller_of
from access.policy import Act, log_payload_read, may

_M = TypeVar("_M", bound=Model)


class PayloadSerializer(serializers.ModelSerializer[_M]):
    """Rows with members that only callers with `payload_act` see; else they are null.

    Each reading of such members is logged.
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
        log_payload_read(caller, instance._meta.model_name, instance.pk)
        return shown
