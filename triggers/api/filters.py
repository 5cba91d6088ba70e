from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters

from common.api.lists import AnyCaseChoiceFilter, AnyCaseField, FlagFilter
from triggers.models import Trigger, TriggerType


class TriggerTypeFormField(AnyCaseField):
    def to_python(self, value: Any) -> str:
        name = super().to_python(value)
        return TriggerType.CRON.value if name == "schedule" else name


class TriggerTypeFilter(AnyCaseChoiceFilter):
    """A trigger's type in any case; `schedule` is another word for `cron`."""

    field_class = TriggerTypeFormField


class TriggerFilter(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains")
    agent_id = filters.UUIDFilter(field_name="agent_id")
    endpoint_id = filters.UUIDFilter(field_name="endpoint_id")
    trigger_type = TriggerTypeFilter(choices=TriggerType.choices)
    subject = filters.CharFilter()
    is_active = FlagFilter()

    class Meta:
        model = Trigger
        fields = ()
