from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from access.admin.base import GuardedDeletionAdmin, HistoryAdmin, VisibleRowsFilter
from access.callers import caller_of
from access.handover import OWNER_FIELDS
from access.owner_forms import OWNER_LABELS, OwnedAdmin, OwnedForm
from agents.access import usable_agents
from agents.backends import backends
from agents.models import Agent, AgentTask, Worker
from agents.services.agents import delete_agent, save_agent
from agents.services.workers import HEARTBEAT_TIMEOUT
from agents.wording import AGENT_KINDS, TASK_STATUSES
from common import wording
from common.admin.columns import Words, WordsFilter
from common.admin.display import (
    NOTHING,
    badge,
    json_block,
    list_link,
    page_link,
    text_block,
)
from common.admin.forms import JSONObjectField
from common.wording import Status

NO_HEARTBEAT = Status("no heartbeat", "✕", "red")
_COLUMNS = (
    "name",
    "kind",
    "is_active",
    "backend",
    "parameters_schema",
    "task_timeout_seconds",
)


class AgentForm(OwnedForm[Agent]):
    """The form of an agent; it never shows the stored configuration."""

    field_of = {"config": "new_config"}  # noqa: RUF012 - read only

    backend = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    # Not named like its column: the form would show the stored value.
    new_config = JSONObjectField(
        label="Config",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="JSON. Secret: it is not shown again. Empty keeps the stored value.",
    )

    class Meta:
        model = Agent
        fields = (*_COLUMNS, "groups", *OWNER_FIELDS)
        help_texts = {"task_timeout_seconds": "In seconds."}  # noqa: RUF012 - read only

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "backend" in self.fields:
            names = backends.names()
            self.fields["backend"].choices = [(n, n) for n in names]  # type: ignore[attr-defined]  # a ChoiceField

    def store(self) -> Agent:
        columns = {**self.given(*_COLUMNS, "groups"), **self.given_owners()}
        if self.cleaned_data["new_config"]:
            columns["config"] = self.cleaned_data["new_config"]
        return save_agent(self.instance, by=self.caller.user, **columns)


@admin.register(Agent)
class AgentAdmin(OwnedAdmin[Agent], GuardedDeletionAdmin[Agent]):
    form = AgentForm
    words: ClassVar[Mapping[str, Words]] = {"kind": AGENT_KINDS}
    labels: ClassVar[Mapping[str, str]] = {
        "is_active": "On",
        "parameters_schema": "JSON schema of the parameters",
        "task_timeout_seconds": "Tasks end after",
        "groups": "Groups that may use it",
        **OWNER_LABELS,
    }
    empty_text = "No agents yet. An agent does the work that triggers start."
    list_display = (
        "name", "status", "kind", "backend", "task_timeout_seconds", "tasks",
    )  # fmt: skip
    list_filter = ("is_active", ("kind", WordsFilter))
    search_fields = ("name",)
    filter_horizontal = ("groups",)
    autocomplete_fields = OWNER_FIELDS
    readonly_fields = ("id", "tasks", "owner_lost_at", "created_at", "updated_at")
    actions = None
    fieldsets = (
        (None, {"fields": ("name", "kind", "is_active")}),
        ("Backend", {"fields": ("backend", "new_config")}),
        ("Tasks", {"fields": ("parameters_schema", "task_timeout_seconds")}),
        ("Access", {"fields": ("groups", *OWNER_FIELDS, "owner_lost_at")}),
        ("Facts", {"fields": ("tasks", "created_at", "updated_at", "id")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).defer("config")

    @admin.display(description="Status", ordering="is_active")
    def status(self, agent: Agent) -> SafeString:
        return badge(wording.ON if agent.is_active else wording.OFF)

    @admin.display(description="Tasks")
    def tasks(self, agent: Agent) -> SafeString:
        return list_link("agents_agenttask", "its tasks", agent__id__exact=agent.pk)

    def save_model(
        self,
        request: HttpRequest,
        obj: Agent,
        form: forms.ModelForm[Agent],
        change: bool,
    ) -> None:
        """Do nothing, because the form has stored the agent."""

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        delete_agent(agent_id=obj.pk)


@admin.register(AgentTask)
class AgentTaskAdmin(HistoryAdmin[AgentTask]):
    words: ClassVar[Mapping[str, Words]] = {"status": TASK_STATUSES}
    payload_fields = ("parameters_json", "result_json")
    id_search_fields = ("pk", "idempotency_key")
    labels: ClassVar[Mapping[str, str]] = {
        "publications": "Times submitted",
        "next_attempt_at": "Next attempt",
        "deadline_at": "Ends at the latest",
        "workflow_id": "Workflow id",
        "run_id": "Run id",
    }
    time_column = "created_at"
    empty_text = "No tasks yet. An agent gets a task when a trigger runs."
    list_display = (
        "title", "status", "agent_link", "task_type", "attempt", "created_at",
        "finished_at", "execution_link",
    )  # fmt: skip
    list_filter = (
        ("status", WordsFilter),
        ("agent", VisibleRowsFilter),
    )
    search_fields = ("title", "task_type", "external_id")
    list_select_related = ("agent",)
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "title", "status", "agent_link", "execution_link",
                    "trigger_link", "event_link", "task_type", "error_text",
                )
            },
        ),
        ("Input", {"fields": ("parameters_json", "metadata_json")}),
        ("Result", {"fields": ("result_json",)}),
        (
            "Progress",
            {
                "fields": (
                    "attempt", "publications", "worker_link", "next_attempt_at",
                    "created_at", "submitted_at", "started_at", "deadline_at",
                    "finished_at",
                )
            },
        ),
        (
            "Facts",
            {
                "fields": (
                    "id", "idempotency_key", "external_id", "workflow_id", "run_id",
                )
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentTask]:
        usable = usable_agents(caller_of(request)).filter(pk=OuterRef("agent_id"))
        rows = super().get_queryset(request).annotate(is_agent_visible=Exists(usable))
        return rows.defer("parameters", "metadata", "result", "agent__config")

    @admin.display(description="Agent")
    def agent_link(self, task: AgentTask) -> SafeString:
        if not getattr(task, "is_agent_visible", True):
            return conditional_escape("not accessible to you")
        return page_link("agents_agent", task.agent_id, task.agent)

    @admin.display(description="History")
    def execution_link(self, task: AgentTask) -> SafeString:
        return page_link(
            "executions_triggerexecution", task.idempotency_key, "what happened"
        )

    @admin.display(description="Trigger")
    def trigger_link(self, task: AgentTask) -> SafeString:
        return page_link(
            "triggers_trigger", task.metadata.get("trigger_id"), "its trigger"
        )

    @admin.display(description="Event")
    def event_link(self, task: AgentTask) -> SafeString:
        return page_link("events_event", task.metadata.get("event_id"), "its event")

    @admin.display(description="Worker")
    def worker_link(self, task: AgentTask) -> SafeString:
        return page_link("agents_worker", task.claimed_by, "its worker")

    @admin.display(description="Error")
    def error_text(self, task: AgentTask) -> SafeString:
        return text_block(task.error) if task.error else NOTHING

    @admin.display(description="Parameters")
    def parameters_json(self, task: AgentTask) -> SafeString:
        return json_block(task.parameters)

    @admin.display(description="Metadata")
    def metadata_json(self, task: AgentTask) -> SafeString:
        return json_block(task.metadata)

    @admin.display(description="Result")
    def result_json(self, task: AgentTask) -> SafeString:
        return json_block(task.result)


@admin.register(Worker)
class WorkerAdmin(HistoryAdmin[Worker]):
    labels: ClassVar[Mapping[str, str]] = {"seen_at": "Last heartbeat"}
    list_display = ("name", "status", "started_at", "seen_at")
    search_fields = ("name",)
    ordering = ("-seen_at",)
    readonly_fields: ClassVar[tuple[str, ...]] = ("status",)
    fields = ("name", "status", "started_at", "seen_at", "id")

    @admin.display(description="Status", ordering="seen_at")
    def status(self, worker: Worker) -> SafeString:
        is_alive = timezone.now() - worker.seen_at < HEARTBEAT_TIMEOUT
        return badge(wording.ON if is_alive else NO_HEARTBEAT)
