"""Copy the dedupe keys of stored events into the table of keys.

Batches commit one by one, so that a large table needs no long transaction. An
interrupted copy starts again from the first event and skips the keys that it finds.
"""

from uuid import UUID

from django.db import migrations

BATCH = 10_000

LAST_OF_BATCH = """
SELECT id FROM (
    SELECT id FROM events_event WHERE id > %s ORDER BY id LIMIT %s
) batch ORDER BY id DESC LIMIT 1
"""
COPY = """
INSERT INTO events_eventkey (dedupe_key, event_id)
SELECT dedupe_key, id FROM events_event
WHERE id > %s AND id <= %s AND dedupe_key IS NOT NULL ORDER BY dedupe_key
ON CONFLICT DO NOTHING
"""
COPY_BACK = """
UPDATE events_event e SET dedupe_key = k.dedupe_key FROM events_eventkey k
WHERE e.id = k.event_id AND e.id > %s AND e.id <= %s
"""


def _each_batch(schema_editor, sql):
    with schema_editor.connection.cursor() as cursor:
        first = UUID(int=0)
        while True:
            cursor.execute(LAST_OF_BATCH, [first, BATCH])
            row = cursor.fetchone()
            if row is None:
                return
            cursor.execute(sql, [first, row[0]])
            first = row[0]


def copy(apps, schema_editor):
    _each_batch(schema_editor, COPY)


def copy_back(apps, schema_editor):
    _each_batch(schema_editor, COPY_BACK)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0006_event_keys")]
    operations = [migrations.RunPython(copy, copy_back)]
