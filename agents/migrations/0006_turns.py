"""Add turns, so that one worker process sweeps for the whole installation."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_drop_running")]
    operations = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                (
                    "name",
                    models.CharField(max_length=50, primary_key=True, serialize=False),
                ),
                ("holder", models.UUIDField()),
                ("next_at", models.DateTimeField()),
            ],
        ),
    ]
