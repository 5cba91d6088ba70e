"""Find a trigger's newest failure by an index of failures alone.

Where this was interrupted: DROP INDEX CONCURRENTLY execution_failed,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("executions", "0003_waits_for_its_turn")]
    operations = [
        AddIndexConcurrently(
            model_name="triggerexecution",
            index=models.Index(
                condition=models.Q(("status__in", ("failed", "timeout"))),
                fields=["trigger", "executed_at"],
                name="execution_failed",
            ),
        ),
    ]
