"""Index the tasks that make their key busy; writes of other tasks cost nothing.

If this was interrupted: DROP INDEX CONCURRENTLY agent_task_busy, then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0002_concurrency_key")]
    operations = [
        AddIndexConcurrently(
            model_name="agenttask",
            index=models.Index(
                condition=models.Q(
                    ("next_attempt_at__isnull", False),
                    ("status__in", ("pending", "submitted", "running")),
                ),
                fields=["concurrency_key"],
                name="agent_task_busy",
            ),
        ),
    ]
