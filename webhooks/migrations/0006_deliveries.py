from __future__ import annotations

import common.fields
import django.db.models.deletion
from django.db import migrations, models

# Both arms have columns of the same types, and none has a WHERE: only then PostgreSQL
# walks two indexes side by side, newest first, and stops at the end of a page. So
# whoever asks says `source = 'webhook'`.
VIEW = """
CREATE VIEW webhooks_delivery AS
SELECT
    id,
    source::text AS source,
    endpoint_id,
    'accepted'::text AS outcome,
    ''::text AS cause,
    NULL::smallint AS status,
    ''::text AS detail,
    type::text AS event_type,
    delivery_id::text AS delivery_id,
    id AS event_id,
    replay_of,
    received_at,
    content_type::text AS content_type,
    body_size,
    ''::text AS method,
    ''::text AS remote_address,
    request,
    NULL::json AS headers,
    body
FROM events_event
UNION ALL
SELECT
    id,
    'webhook'::text,
    endpoint_id,
    CASE cause WHEN 'duplicate' THEN 'duplicate' ELSE 'rejected' END::text,
    cause::text,
    status,
    detail,
    ''::text,
    delivery_id::text,
    event_id,
    NULL::uuid,
    received_at,
    ''::text,
    body_size,
    method::text,
    coalesce(host(remote_address), '')::text,
    NULL::json,
    headers,
    body
FROM webhooks_rejection
"""


class Migration(migrations.Migration):

    dependencies = [
        ("webhooks", "0005_duplicates"),
        ("events", "0005_deliveries_and_replays"),
    ]

    operations = [
        migrations.RunSQL(VIEW, "DROP VIEW webhooks_delivery"),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("source", models.TextField()),
                ("outcome", models.TextField(choices=[("accepted", "Accepted"), ("duplicate", "Duplicate"), ("rejected", "Rejected")])),
                ("cause", models.TextField()),
                ("status", models.SmallIntegerField(null=True)),
                ("detail", models.TextField()),
                ("event_type", models.TextField()),
                ("delivery_id", models.TextField()),
                ("event_id", models.UUIDField(null=True)),
                ("replay_of", models.UUIDField(null=True)),
                ("received_at", models.DateTimeField()),
                ("content_type", models.TextField()),
                ("body_size", models.IntegerField(null=True)),
                ("method", models.TextField()),
                ("remote_address", models.TextField()),
                ("request", common.fields.RawJSONField(null=True)),
                ("headers", common.fields.RawJSONField(null=True)),
                ("body", models.BinaryField()),
                ("endpoint", models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="webhooks.webhookendpoint")),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ("-id",),
                "managed": False,
                "default_permissions": ("view", "change"),
            },
        ),
    ]
