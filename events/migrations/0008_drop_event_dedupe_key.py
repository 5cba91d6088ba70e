"""Drop the dedupe key from events, and with it their second unique constraint.

Code of the previous version cannot record events without the column. A nullable column
without a constraint would be worse, because that code would record duplicates. It can run
until the lock, so the keys that it wrote since the copy began are copied under the lock.
"""

from django.db import migrations

LOCK = "LOCK TABLE events_event IN ACCESS EXCLUSIVE MODE"
# Ids begin with the milliseconds of their creation. The margin covers clocks that differ
# and transactions that were open when the copy began.
COPY_THE_REST = """
INSERT INTO events_eventkey (dedupe_key, event_id)
SELECT e.dedupe_key, e.id FROM events_event e
WHERE e.dedupe_key IS NOT NULL AND e.id >= rpad(lpad(to_hex((
    extract(epoch FROM coalesce(
        (SELECT min(applied) FROM django_migrations
         WHERE app = 'events' AND name = '0006_event_keys'),
        statement_timestamp()
    ) - interval '10 minutes') * 1000
)::bigint), 12, '0'), 32, '0')::uuid
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0007_copy_event_keys")]
    operations = [
        migrations.RunSQL(LOCK, migrations.RunSQL.noop),
        migrations.RunSQL(COPY_THE_REST, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="event", name="event_dedupe_key_unique"
        ),
        migrations.RemoveField(model_name="event", name="dedupe_key"),
    ]
