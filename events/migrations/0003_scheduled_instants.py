"""Index a trigger's scheduled instants and its missed ranges; no other event pays."""

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
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("type", "schedule.missed")),
                fields=["trigger_id", "received_at"],
                name="event_missed",
            ),
        ),
    ]
