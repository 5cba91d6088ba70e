from __future__ import annotations

from agents.agent_task import agent_task
from agents.models import AgentTask


@agent_task
def echo(task: AgentTask) -> object:
    """Return the parameters of the task: the demo agent."""
    return {"received": task.parameters, "attempt": task.attempt}
