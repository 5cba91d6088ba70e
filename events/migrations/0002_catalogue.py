"""Load the event types that the service ships with."""

import json
from pathlib import Path

from django.db import migrations

CATALOGUE = Path(__file__).parent.parent / "data" / "event_types.json"


def load(apps, schema_editor):
    EventType = apps.get_model("events", "EventType")
    EventType.objects.bulk_create(
        [EventType(**row) for row in json.loads(CATALOGUE.read_text())],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
