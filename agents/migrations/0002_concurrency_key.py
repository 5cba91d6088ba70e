"""Add a common key by which tasks that exclude each other are found."""

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
