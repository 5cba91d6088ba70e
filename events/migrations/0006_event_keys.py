"""Create the table of dedupe keys; the next migrations fill it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0005_deliveries_and_replays")]
    operations = [
        migrations.CreateModel(
            name="EventKey",
            fields=[
                ("dedupe_key", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("event_id", models.UUIDField()),
            ],
        ),
    ]
