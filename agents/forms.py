from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from agents.backends.base import backends
from agents.models import Agent
from agents.services.agents import save_agent
from common.admin.forms import JSONObjectField, ServiceForm

_COLUMNS = (
    "name",
    "kind",
    "is_active",
    "backend",
    "parameters_schema",
    "task_timeout_seconds",
)


class AgentForm(ServiceForm[Agent]):
    """An agent; its configuration is written here and never shown again."""

    field_of = {"config": "new_config"}  # noqa: RUF012 - read only

    backend = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    # Not named as its column: that would be shown as the field's first value.
    new_config = JSONObjectField(
        label="Config",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="JSON. A secret: never shown again. Empty keeps what is stored.",
    )

    class Meta:
        model = Agent
        fields = (*_COLUMNS, "groups")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "backend" in self.fields:
            names = backends.names()
            self.fields["backend"].choices = [(n, n) for n in names]  # type: ignore[attr-defined]  # of a ChoiceField

    def store(self) -> Agent:
        columns = self.given(*_COLUMNS)
        if self.cleaned_data["new_config"]:
            columns["config"] = self.cleaned_data["new_config"]
        return save_agent(self.instance, **columns)
