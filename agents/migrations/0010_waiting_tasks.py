"""Index the tasks that wait for a worker in their order.

If this was interrupted: DROP INDEX CONCURRENTLY agent_task_waiting, then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower
from django.db.models.lookups import Exact


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0009_turns_of_tasks")]
    operations = [
        AddIndexConcurrently(
            model_name="agenttask",
            index=models.Index(
                condition=models.Q(Exact(Lower("status"), "submitted")),
                fields=["agent", "turn_at", "id"],
                name="agent_task_waiting",
            ),
        ),
    ]
