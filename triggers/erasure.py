"""Whose runs a trigger's runs are. The trigger itself is an operator's definition."""

from __future__ import annotations

from access.erasure import Owner, register_definitions
from triggers.models import Trigger

register_definitions(Owner.TRIGGER, Trigger)
