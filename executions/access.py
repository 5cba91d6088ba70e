"""Who may do what with what happened, and who may start more."""

from __future__ import annotations

from access.policy import Act, by_subject, crud, payload_act, register
from executions.models import ExecutionTrace, TriggerExecution

EXECUTIONS = crud("executions.triggerexecution", "executions")
VIEW_EXECUTIONS = EXECUTIONS["retrieve"]
EXECUTION_PAYLOADS = payload_act("executions")
RUN = Act("executions.change_triggerexecution", "triggers:run")
VIEW_HEALTH = Act("triggers.view_trigger", "system:read", is_global=True)

register(TriggerExecution, by_subject("subject"))
register(ExecutionTrace, by_subject("execution__subject"))
