"""The form of a trigger in the admin, and how its page groups the fields."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from access.handover import OWNER_FIELDS
from access.owner_forms import OwnedForm
from access.policy import own_subject
from agents.access import usable_agents
from common.admin.forms import LinesField
from common.errors import InvalidInput
from triggers.models import Trigger, TriggerType
from triggers.schedules import Dialect
from triggers.services.endpoints import is_open_to
from triggers.services.lifecycle import create_trigger, patterns_of, update_trigger
from triggers.services.validation import explain_unsupported
from webhooks.access import FOREIGN_ENDPOINT
from webhooks.endpoints.lifecycle import EndpointFields
from webhooks.forms import METHOD_CHOICES, SecretField, type_choices
from webhooks.models import WebhookEndpoint

BASICS = ("name", "description", "agent", "trigger_type")
SCHEDULE = (
    "schedule_type", "cron_expression", "schedule_config", "timezone", "start_at",
    "end_at", "max_runs", "jitter_seconds", "dst_gap", "dst_overlap", "catchup",
    "catchup_window_seconds", "misfire_grace_seconds",
)  # fmt: skip
CONDITIONS = ("conditions", "on_condition_error")
TASK = ("task_type", "task_parameters", "parameter_mapping")
PAUSE = ("paused_until", "pause_note")
LIMITS = (
    "overlap", "timeout_seconds", "max_executions_per_hour", "failure_threshold",
    "count_task_failures",
)  # fmt: skip
COLUMNS = (*BASICS, *SCHEDULE, "subject", *CONDITIONS, *TASK, *LIMITS, *PAUSE)
NEW_WEBHOOK = ("endpoint", "webhook_type", "webhook_secret", "allowed_methods")
READONLY_FIELDS = (
    "status", "why_off", "next_run_time", "executions", "outcomes", "failures",
    "versions", "agent_name", "endpoint_link", "url", "curl", "owner_lost", "id",
    "version",
    "created_at", "created_by", "updated_at",
)  # fmt: skip

_COMMON = (
    ("Conditions", {"fields": CONDITIONS}),
    ("The agent's task", {"fields": TASK}),
    ("Limits", {"fields": LIMITS}),
    ("Pause", {"fields": PAUSE}),
)
_OWNERS = ("Owner", {"fields": OWNER_FIELDS})
_STORED_OWNERS = ("Owner", {"fields": (*OWNER_FIELDS, "owner_lost")})

NEW_FIELDSETS = (
    (None, {"fields": (*BASICS, "is_active")}),
    (
        "What starts it",
        {"fields": (*SCHEDULE, "event_types", *NEW_WEBHOOK, "subject")},
    ),
    *_COMMON,
    _OWNERS,
)

_BY_TYPE: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        TriggerType.CRON: (("Schedule", {"fields": (*SCHEDULE, "versions")}),),
        TriggerType.EVENT: (("Events", {"fields": ("event_types", "subject")}),),
        TriggerType.WEBHOOK: (
            ("Webhook", {"fields": ("url", "curl", "endpoint_link", "subject")}),
        ),
        TriggerType.MANUAL: (),
    }
)


class TriggerForm(OwnedForm[Trigger]):
    """A trigger and, when it is created, the fields of its new endpoint.

    Subclasses set `caller`, the person who fills it in. `made_secret` is the new
    endpoint's secret, if one was made: the page shows it once. `read_as` is the system
    whose rules the cron expression was read by.
    """

    field_of = {  # noqa: RUF012 - read only
        "agent_id": "agent",
        "endpoint_id": "endpoint",
        "webhook_config": "webhook_secret",
    }

    event_types = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="One per line: invoice.paid, invoice.* or github.push",
    )
    webhook_type = forms.ChoiceField(
        label="Who sends it",
        choices=type_choices,
        required=False,
        initial="generic",
        widget=UnfoldAdminSelectWidget,
    )
    webhook_secret = SecretField(
        label="Secret",
        help_text=(
            "Leave empty to create one, shown once, if the sender signs requests."
        ),
    )
    allowed_methods = forms.MultipleChoiceField(
        choices=METHOD_CHOICES,
        required=False,
        initial=["POST"],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Trigger
        fields = (*COLUMNS, "endpoint", "is_active", *OWNER_FIELDS)
        help_texts = {  # noqa: RUF012 - read only
            "conditions": "JSON. {} matches every event.",
            "parameter_mapping": 'JSON: {"invoice": "body.id"}',
            "cron_expression": (
                "Five fields, or six with seconds first: 0 9 * * 1-5. With '?', six "
                "fields are read as AWS or Quartz write them, and stored in this order."
            ),
            "schedule_config": (
                'JSON: {"interval_seconds": 60}, {"time": "09:00"}, or every second '
                'Monday {"day": 0, "time": "09:00", "every": 2}'
            ),
            "timezone": "An IANA name such as Europe/Berlin",
            "endpoint": "An existing one; empty gives the trigger a URL of its own.",
            "jitter_seconds": "In seconds.",
            "catchup_window_seconds": "In seconds.",
            "misfire_grace_seconds": "In seconds.",
            "timeout_seconds": "In seconds.",
            "overlap": "What happens to a run while the previous one is in progress.",
            "paused_until": "Until then, only people can run it.",
            "max_executions_per_hour": (
                "Empty on a new trigger: 60 for webhooks and events, else no limit."
            ),
        }

    made_secret: str | None = None
    read_as: Dialect | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "agent" in self.fields:
            agent = self.fields["agent"]
            assert isinstance(agent, forms.ModelChoiceField)  # noqa: S101 - it names a row
            agent.queryset = usable_agents(self.caller)
        if self.instance._state.adding:
            self.fields["count_task_failures"] = _new_counting_field()
        if not self.instance._state.adding:
            self.initial["event_types"] = patterns_of(self.instance)
            if "trigger_type" in self.fields:
                self.fields["trigger_type"].disabled = True

    def clean_endpoint(self) -> WebhookEndpoint | None:
        endpoint: WebhookEndpoint | None = self.cleaned_data["endpoint"]
        if endpoint is not None and not is_open_to(self.caller, endpoint.pk):
            raise forms.ValidationError(FOREIGN_ENDPOINT)
        return endpoint

    def clean_subject(self) -> str:
        try:
            return own_subject(self.caller, self.cleaned_data["subject"])
        except InvalidInput as error:
            raise forms.ValidationError(error.detail) from error

    def clean_event_types(self) -> list[str]:
        """Refuse new patterns that no event can match; stored ones may stay."""
        patterns: list[str] = self.cleaned_data["event_types"]
        stored = self.initial.get("event_types", ())
        new = [pattern for pattern in patterns if pattern not in stored]
        if faults := explain_unsupported(new):
            raise forms.ValidationError(list(faults.values()))
        return patterns

    def store(self) -> Trigger:
        return self._create() if self.instance._state.adding else self._update()

    def _create(self) -> Trigger:
        fields = {
            **self.given(*COLUMNS, "endpoint", "is_active"),
            **self.given_owners(),
        }
        for name in ("max_executions_per_hour", "endpoint"):
            if fields.get(name) is None:
                fields.pop(name, None)
        created = create_trigger(
            fields=fields,
            event_types=self.cleaned_data["event_types"],
            webhook=self._new_webhook(),
            created_by=self.caller.user.get_username(),
            by=self.caller.user,
        )
        self.made_secret = created.webhook_secret
        self.read_as = created.read_as
        return created.trigger

    def _update(self) -> Trigger:
        is_given = self.add_prefix("event_types") in self.data
        saved = update_trigger(
            trigger_id=self.instance.pk,
            fields={**self.given(*COLUMNS), **self.given_owners()},
            event_types=self.cleaned_data["event_types"] if is_given else None,
            by=self.caller.user,
        )
        self.read_as = saved.read_as
        return saved.trigger

    def _new_webhook(self) -> EndpointFields | None:
        """Return the fields of a new endpoint; None if none is to be created."""
        is_webhook = self.cleaned_data["trigger_type"] == TriggerType.WEBHOOK
        if not is_webhook or self.cleaned_data.get("endpoint"):
            return None
        secret = self.cleaned_data["webhook_secret"]
        return EndpointFields(
            type_slug=self.cleaned_data["webhook_type"] or None,
            config={"secret": secret} if secret else {},
            allowed_methods=self.cleaned_data["allowed_methods"] or None,
        )


def _new_counting_field() -> forms.Field:
    """Return a new trigger's field; its default depends on the endpoint."""
    return forms.TypedChoiceField(
        choices=(
            ("", "yes, unless the webhook accepts unsigned requests"),
            ("yes", "yes"),
            ("no", "no"),
        ),
        coerce=lambda word: word == "yes",
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Whether failed tasks count towards switching the trigger off.",
    )


def fieldsets_of(trigger: Trigger) -> tuple[Any, ...]:
    """Return the fieldsets of a stored trigger's page."""
    state = ["status", "executions", "outcomes", "failures"]
    if trigger.disabled_reason:
        state.insert(1, "why_off")
    if trigger.has_schedule:
        state.insert(1, "next_run_time")
    facts = ("version", "created_at", "created_by", "updated_at", "id")
    return (
        ("State", {"fields": tuple(state)}),
        ("Trigger", {"fields": BASICS}),
        *_BY_TYPE[trigger.trigger_type],
        *_COMMON,
        _STORED_OWNERS,
        ("Facts", {"fields": facts}),
    )


def _conditional_fields() -> dict[str, str]:
    """Return, by field, the script expression that decides whether it is shown."""
    shown = dict.fromkeys(SCHEDULE, "trigger_type == 'cron'")
    is_cron = "trigger_type == 'cron' && schedule_type == 'cron'"
    is_other = "trigger_type == 'cron' && schedule_type && schedule_type != 'cron'"
    shown |= {"cron_expression": is_cron, "schedule_config": is_other}
    shown |= dict.fromkeys(NEW_WEBHOOK, "trigger_type == 'webhook'")
    shown["event_types"] = "trigger_type == 'event'"
    return shown


CONDITIONAL_FIELDS = _conditional_fields()
