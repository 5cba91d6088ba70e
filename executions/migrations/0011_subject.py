"""Give executions the subject of their trigger and event, also those that exist.

Their tasks get it too. An execution whose trigger has another subject than its event
has none.
"""

from django.db import migrations, models

EXECUTIONS = """
UPDATE executions_triggerexecution x SET subject = t.subject
FROM triggers_trigger t, events_event e
WHERE t.id = x.trigger_id AND t.subject <> '' AND e.id = x.event_id
AND e.subject = t.subject
"""

TASKS = """
UPDATE agents_agenttask a SET subject = x.subject
FROM executions_triggerexecution x
WHERE x.task_id = a.id AND x.subject <> ''
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0012_subject"),
        ("events", "0012_names_on_pages"),
        ("executions", "0010_names_on_pages"),
        ("triggers", "0006_condition_errors_are_skipped"),
    ]
    operations = [
        migrations.AddField(
            model_name="triggerexecution",
            name="subject",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.RunSQL(EXECUTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(TASKS, migrations.RunSQL.noop),
    ]
