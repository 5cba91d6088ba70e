"""Drop the index of running tasks by worker: agent_task_running_until covers it.

If this was interrupted, migrate again.
"""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0004_running_until")]
    operations = [
        RemoveIndexConcurrently(model_name="agenttask", name="agent_task_running"),
    ]
