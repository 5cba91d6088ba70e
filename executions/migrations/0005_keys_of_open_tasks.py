"""Let the tasks that are open now make their triggers busy."""

from django.db import migrations

FILL = """
UPDATE agents_agenttask t SET concurrency_key = e.trigger_id
FROM executions_triggerexecution e
WHERE e.task_id = t.id AND t.concurrency_key IS NULL
AND t.status IN ('pending', 'submitted', 'running')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0004_newest_failure"),
        ("agents", "0003_busy_tasks"),
    ]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
