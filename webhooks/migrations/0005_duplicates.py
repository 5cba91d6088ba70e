from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("webhooks", "0004_uploaded_types"),
    ]

    operations = [
        migrations.AddField(
            model_name="rejection",
            name="body_size",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="rejection",
            name="event_id",
            field=models.UUIDField(null=True),
        ),
    ]
