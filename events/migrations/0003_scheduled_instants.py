"""Index the instants of a trigger's schedule; writes of other events cost nothing.

If this was interrupted: DROP INDEX CONCURRENTLY event_scheduled, then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0002_catalogue")]
    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("scheduled_for__isnull", False)),
                fields=["trigger_id", "scheduled_for"],
                name="event_scheduled",
            ),
        ),
    ]
