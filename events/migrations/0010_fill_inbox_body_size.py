"""Fill in the body sizes of events that are waiting, in batches that commit one by one."""

from uuid import UUID

from django.db import migrations

BATCH = 10_000

LAST_OF_BATCH = """
SELECT event_id FROM (
    SELECT event_id FROM events_inbox WHERE event_id > %s ORDER BY event_id LIMIT %s
) batch ORDER BY event_id DESC LIMIT 1
"""
FILL = """
UPDATE events_inbox i SET body_size = e.body_size FROM events_event e
WHERE e.id = i.event_id AND i.event_id > %s AND i.event_id <= %s
"""


def fill(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        first = UUID(int=0)
        while True:
            cursor.execute(LAST_OF_BATCH, [first, BATCH])
            row = cursor.fetchone()
            if row is None:
                return
            cursor.execute(FILL, [first, row[0]])
            first = row[0]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0009_inbox_body_size")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
