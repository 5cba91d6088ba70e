"""Add the pending fetches of the receiver, and start their Celery task every 30 s."""

import common.ids
from django.db import migrations, models


def enter(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    every = interval.objects.filter(every=30, period="seconds").first()
    every = every or interval.objects.create(every=30, period="seconds")
    periodic.objects.get_or_create(
        name="tickhook-errands",
        defaults={
            "task": "webhooks.tasks.run_errands",
            "interval": every,
            "queue": "slow",
            "expire_seconds": 60,
            "description": "Asks senders' certificate and confirmation URLs.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0006_deliveries"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [
        migrations.CreateModel(
            name="Errand",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=common.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("certificate", "Certificate"),
                            ("confirmation", "Confirmation"),
                        ],
                        max_length=20,
                    ),
                ),
                ("url", models.CharField(max_length=1000)),
                ("endpoint_id", models.UUIDField(null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, default="", max_length=255)),
                ("result", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["next_attempt_at"],
                        name="errand_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "url"), name="errand_url_unique"
                    )
                ],
            },
        ),
        migrations.RunPython(enter, migrations.RunPython.noop),
    ]
