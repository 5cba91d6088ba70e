"""Let tasks that get in each other's way be found by a common key."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("agents", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="agenttask",
            name="concurrency_key",
            field=models.UUIDField(null=True),
        ),
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
