"""Index the ranges that a trigger missed; other events don't pay.

Where this was interrupted: DROP INDEX CONCURRENTLY event_missed, then migrate again.
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
