"""Let executions that wait for their trigger's run before them be found.

Where this was interrupted: DROP INDEX CONCURRENTLY execution_waits_for_its_turn,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("executions", "0002_sweep_every_two_seconds")]

    operations = [
        AddIndexConcurrently(
            model_name="triggerexecution",
            index=models.Index(
                condition=models.Q(("reason", "overlap"), ("status", "pending")),
                fields=["trigger", "event"],
                name="execution_waits_for_its_turn",
            ),
        ),
    ]
