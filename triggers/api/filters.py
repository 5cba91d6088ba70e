from __future__ import annotations

import django_filters

from triggers.models import Trigger, TriggerType


class TriggerFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
    agent_id = django_filters.UUIDFilter(field_name="agent_id")
    endpoint_id = django_filters.UUIDFilter(field_name="endpoint_id")
    trigger_type = django_filters.ChoiceFilter(choices=TriggerType.choices)
    is_active = django_filters.BooleanFilter()

    class Meta:
        model = Trigger
        fields = ("name", "agent_id", "endpoint_id", "trigger_type", "is_active")
