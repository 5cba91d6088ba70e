"""The template filter that shows times in the zone of the viewer."""

from __future__ import annotations

from datetime import datetime

from django.template import Library
from django.utils.safestring import SafeString

from common.admin.display import time_tag

register = Library()


@register.filter(name="time_tag")
def show_time(at: datetime | None, shown: str = "ago") -> SafeString:
    return time_tag(at, shown)
