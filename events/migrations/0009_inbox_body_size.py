"""Keep the size of a body in the inbox, so that a claim does not read events."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0008_drop_event_dedupe_key")]
    operations = [
        migrations.AddField(
            model_name="inbox",
            name="body_size",
            field=models.IntegerField(db_default=0),
        ),
    ]
