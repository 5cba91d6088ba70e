"""Let beat ask for the sweep every two seconds, besides the workers' own threads."""

from django.db import migrations


def enter(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    every = interval.objects.filter(every=2, period="seconds").first()
    every = every or interval.objects.create(every=2, period="seconds")
    periodic.objects.get_or_create(
        name="tickhook-sweep",
        defaults={
            "task": "executions.tasks.sweep",
            "interval": every,
            "queue": "pipeline",
            "expire_seconds": 5,
            "description": "Finds what a lost message or a dead worker left behind.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(enter, migrations.RunPython.noop)]
