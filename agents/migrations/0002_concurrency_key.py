"""Let tasks that get in each other's way be found by a common key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="agenttask",
            name="concurrency_key",
            field=models.UUIDField(null=True),
        ),
    ]
