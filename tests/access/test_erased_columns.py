"""Each column that could hold data of a subject is erased, or is listed with a reason.

The test fails for a new column that neither an app's module `erasure` registers nor
this list names. Name it here only if neither a sender nor an agent writes into it. The
tables of the audit log hold what people changed of columns that are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BinaryField,
    CharField,
    Field,
    JSONField,
    Model,
    TextField,
)

from access.audit.records import audited
from access.audit.tables import AuditRow
from access.erasure import erased_columns
from common.fields import EncryptedJSONField, RawJSONField

APPS = (
    *("common", "access", "agents", "events", "webhooks", "triggers", "executions"),
    "django_celery_results",
)
HOLDERS = (
    *(ArrayField, BinaryField, CharField, EncryptedJSONField, JSONField),
    *(RawJSONField, TextField),
)

DEFINITION = "an operator wrote it; it stays until a person deletes the row"
CATALOGUE = "each release ships it"
OURS = "Tickhook's own name for a process or a step"
COUNTED = "the cause or kind by which rows are counted, from a fixed list"
ABROAD = "the id under which the agent's own system is asked to erase its part"

NOT_OF_A_SUBJECT: dict[str, tuple[str, tuple[str, ...]]] = {
    "access.ApiKey": (
        DEFINITION, ("name", "digest", "prefix", "scopes", "subject"),
    ),
    "access.Session": (
        "of people who log in", ("session_key", "session_data", "address", "browser"),
    ),
    "access.SubjectBinding": (DEFINITION, ("subject",)),
    "access.ApiToken": ("a secret's digest and beginning", ("digest", "prefix")),
    "agents.Agent": (DEFINITION, ("name", "backend", "config", "parameters_schema")),
    "agents.AgentTask": (
        f"set by the trigger: its task_type, and ids and times; {ABROAD}",
        ("task_type", "metadata", "external_id", "workflow_id", "run_id"),
    ),
    "agents.Worker": (OURS, ("name",)),
    "agents.Turn": (OURS, ("name",)),
    "agents.HintedTask": (OURS, ("queue", "name")),
    "events.EventType": (
        CATALOGUE, ("name", "title", "description", "category", "payload_schema"),
    ),
    "events.Event": ("the kind of event, by which triggers are found", ("type",)),
    "webhooks.WebhookEndpoint": (
        DEFINITION,
        (
            "webhook_id", "type", "secrets", "config", "allowed_methods",
            "validation_rules", "subject",
        ),
    ),
    "webhooks.WebhookTypeVersion": (DEFINITION, ("slug", "document", "created_by")),
    "webhooks.WebhookType": (DEFINITION, ("slug",)),
    "webhooks.RejectionCount": (COUNTED, ("cause",)),
    "triggers.Trigger": (
        DEFINITION,
        (
            "name", "description", "disabled_reason", "task_type", "task_parameters",
            "parameter_mapping", "conditions", "schedule_config", "cron_expression",
            "timezone", "pause_note", "subject", "created_by",
        ),
    ),
    "triggers.Subscription": (DEFINITION, ("pattern", "subject")),
    "triggers.ScheduleVersion": (DEFINITION, ("definition",)),
    "executions.TriggerExecution": (
        f"{COUNTED}, the class of an exception, and the worker; {ABROAD}",
        ("reason", "error_type", "worker", "workflow_id", "run_id"),
    ),
    "executions.DrainLease": (OURS, ("worker", "event_ids")),
    "django_celery_results.ChordCounter": (
        "of Celery's chords, which Tickhook does not use", ("group_id", "sub_tasks"),
    ),
    "django_celery_results.GroupResult": (
        "of Celery's groups, which Tickhook does not use",
        ("group_id", "content_type", "content_encoding", "result"),
    ),
}  # fmt: skip


def holders() -> Iterator[tuple[type[Model], str]]:
    """Yield the columns of our tables that could hold any text."""
    for app in APPS:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            if model._meta.managed and not issubclass(model, AuditRow):
                yield from ((model, f.name) for f in _open_fields(model))


def _open_fields(model: type[Model]) -> list[Field[Any, Any]]:
    return [
        one
        for one in model._meta.local_fields
        if isinstance(one, HOLDERS) and not one.choices
    ]


def test_each_column_is_erased_or_listed() -> None:
    unknown = [
        f"{model._meta.label}.{name}"
        for model, name in holders()
        if name not in erased_columns(model)
        and name not in NOT_OF_A_SUBJECT.get(model._meta.label, ("", ()))[1]
    ]

    assert unknown == []


def test_the_list_names_existing_columns_that_are_not_erased() -> None:
    lists = NOT_OF_A_SUBJECT.items()
    listed = {(label, name) for label, (_, names) in lists for name in names}
    kept = {
        (model._meta.label, name)
        for model, name in holders()
        if name not in erased_columns(model)
    }

    assert listed - kept == set()


def test_no_column_that_is_erased_is_in_the_audit_log() -> None:
    recorded = {
        (model, column.name)
        for model, records in audited.items()
        for column in records.columns.columns
    }

    assert {f for f in recorded if f[1] in erased_columns(f[0])} == set()
