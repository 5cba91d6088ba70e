"""Index running tasks by worker and deadline.

If this was interrupted: DROP INDEX CONCURRENTLY agent_task_running_until, then migrate
again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0003_busy_tasks")]
    operations = [
        AddIndexConcurrently(
            model_name="agenttask",
            index=models.Index(
                condition=models.Q(("status", "running")),
                fields=["claimed_by", "deadline_at"],
                name="agent_task_running_until",
            ),
        ),
    ]
