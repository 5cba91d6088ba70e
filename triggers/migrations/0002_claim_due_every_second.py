"""Let beat ask for what is due every second: the guarantee under any scheduler."""

from django.db import migrations


def enter(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    every = interval.objects.filter(every=1, period="seconds").first()
    every = every or interval.objects.create(every=1, period="seconds")
    periodic.objects.get_or_create(
        name="tickhook-claim-due",
        defaults={
            "task": "triggers.tasks.claim_due",
            "interval": every,
            "queue": "clock",
            "expire_seconds": 5,
            "description": "Records what is due, under Celery's own scheduler; keeps when a clock last ticked.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("triggers", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(enter, migrations.RunPython.noop)]
