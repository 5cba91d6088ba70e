"""Index the ranges that a trigger missed; writes of other events cost nothing.

If this was interrupted: DROP INDEX CONCURRENTLY event_missed, then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0003_scheduled_instants")]
    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("type", "schedule.missed")),
                fields=["trigger_id", "received_at"],
                name="event_missed",
            ),
        ),
    ]
