"""Add the hints in the broker, and the Celery tasks that read them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0010_waiting_tasks")]
    operations = [
        migrations.CreateModel(
            name="HintSlot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "agent_id",
                        "period",
                        "slot",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("period", models.PositiveIntegerField()),
                ("slot", models.PositiveSmallIntegerField()),
                ("sent_at", models.DateTimeField()),
                (
                    "agent",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="agents.agent",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HintedTask",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "queue",
                        "name",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("queue", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
    ]
