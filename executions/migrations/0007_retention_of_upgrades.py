"""Note when an installation that has history got the purge: it waits a week there.

A new installation has no events yet, and no row.
"""

from django.db import migrations

NOTE = """
INSERT INTO executions_retention (id, upgraded_at)
SELECT 1, statement_timestamp()
WHERE EXISTS (SELECT FROM events_event) OR EXISTS (SELECT FROM webhooks_rejection)
ON CONFLICT (id) DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0006_retention"),
        ("events", "0005_deliveries_and_replays"),
        ("webhooks", "0007_errands"),
    ]
    operations = [migrations.RunSQL(NOTE, migrations.RunSQL.noop)]
