"""Let beat start the purge of old history every hour."""

from django.db import migrations


def enter(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    every = interval.objects.filter(every=1, period="hours").first()
    every = every or interval.objects.create(every=1, period="hours")
    periodic.objects.get_or_create(
        name="tickhook-purge-history",
        defaults={
            "task": "executions.tasks.purge_history",
            "interval": every,
            "queue": "slow",
            "expire_seconds": 1800,
            "description": "Deletes what is older than the retention settings say.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0007_retention_of_upgrades"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(enter, migrations.RunPython.noop)]
