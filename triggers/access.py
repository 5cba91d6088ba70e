"""Who may do what with triggers."""

from __future__ import annotations

from access.policy import by_subject, crud, register
from triggers.models import ScheduleVersion, Subscription, Trigger, TriggerStats

TRIGGERS = crud("triggers.trigger", "triggers")
VIEW_TRIGGER = TRIGGERS["retrieve"]
CHANGE_TRIGGER = TRIGGERS["update"]

register(Trigger, by_subject("subject"))
register(TriggerStats, by_subject("trigger__subject"))
register(Subscription, by_subject("trigger__subject"))
register(ScheduleVersion, by_subject("trigger__subject"))
