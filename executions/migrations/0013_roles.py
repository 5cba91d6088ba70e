"""Make the roles: groups of permissions that can be changed in the admin.

Users who could do something before can still do it: to run a trigger needs another
permission now, and so does to see payloads.
"""

from django.db import migrations

from access.roles import ADMIN, EDITOR, OPERATOR, VIEWER, grant, grant_holders

_READ = [
    "agents.view_agent",
    "agents.view_agenttask",
    "events.view_event",
    "events.view_eventtype",
    "executions.view_executiontrace",
    "executions.view_triggerexecution",
    "triggers.view_scheduleversion",
    "triggers.view_subscription",
    "triggers.view_trigger",
    "triggers.view_triggerstats",
    "webhooks.view_delivery",
    "webhooks.view_rejection",
    "webhooks.view_rejectioncount",
    "webhooks.view_webhookendpoint",
    "webhooks.view_webhooktype",
    "webhooks.view_webhooktypeversion",
]
_RUN = [
    "events.add_event",
    "executions.change_triggerexecution",
    "webhooks.change_delivery",
]
_EDIT = [
    *(f"triggers.{verb}_trigger" for verb in ("add", "change", "delete")),
    *(f"agents.{verb}_agent" for verb in ("add", "change", "delete")),
    *(f"webhooks.{verb}_webhooktype" for verb in ("add", "change", "delete")),
    "webhooks.change_webhookendpoint",
]
_ADMINISTER = [
    "access.administer",
    "executions.view_payload",
    *(
        f"{model.partition('.')[0]}.{verb}_{model.partition('.')[2]}"
        for model in ("auth.user", "auth.group", "access.subjectbinding")
        for verb in ("view", "add", "change", "delete")
    ),
    "agents.view_worker",
    "django_celery_results.view_taskresult",
    "events.view_inbox",
    "executions.view_drainlease",
    "triggers.view_statsdelta",
    "webhooks.view_pendingfetch",
    *(
        f"django_celery_beat.{verb}_{name}"
        for name in ("periodictask", "crontabschedule", "intervalschedule")
        for verb in ("view", "add", "change", "delete")
    ),
    "django_celery_beat.view_clockedschedule",
    "django_celery_beat.view_solarschedule",
]
ROLES = {
    VIEWER: _READ,
    OPERATOR: [*_READ, *_RUN],
    EDITOR: [*_READ, *_RUN, *_EDIT],
    ADMIN: [*_READ, *_RUN, *_EDIT, *_ADMINISTER],
}


def make_roles(apps, schema_editor):
    for held in ("triggers.change_trigger", "webhooks.change_delivery"):
        grant_holders(apps, held, "executions.change_triggerexecution")
    for held in ("agents.view_agenttask", "events.view_event", "webhooks.view_delivery"):
        grant_holders(apps, held, "executions.view_payload")
    for group, permissions in ROLES.items():
        grant(apps, group, permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_api_keys"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("executions", "0012_find_by_subject"),
    ]
    operations = [
        migrations.AlterModelOptions(
            name="triggerexecution",
            options={
                "ordering": ("-executed_at", "-id"),
                "permissions": (
                    ("view_payload", "Can view what senders sent and agents answered"),
                ),
                "verbose_name": "history entry",
                "verbose_name_plural": "history",
            },
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
