# Concurrently, because the table may be large and events are recorded in the meantime.

from __future__ import annotations

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("events", "0004_missed_ranges"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=django.contrib.postgres.indexes.HashIndex(condition=models.Q(("delivery_id", ""), _negated=True), fields=["delivery_id"], name="event_delivery"),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(condition=models.Q(("replay_of__isnull", False)), fields=["replay_of"], name="event_replays"),
        ),
    ]
