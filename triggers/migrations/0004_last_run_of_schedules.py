"""Keep the last instant that ran, so that where a schedule ended needs no event."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0003_runs_of_versions")]
    operations = [
        migrations.AddField(
            model_name="trigger",
            name="last_scheduled_for",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="scheduleversion",
            name="last_scheduled_for",
            field=models.DateTimeField(null=True),
        ),
    ]
