"""Order the inbox by the transactions that queue events; claims start at a floor."""

from django.db import migrations, models

import common.fields


class Migration(migrations.Migration):
    dependencies = [("events", "0010_fill_inbox_body_size")]
    operations = [
        migrations.AddField(
            model_name="inbox",
            name="txid",
            field=common.fields.Xid8Field(
                db_default=models.Func(function="pg_current_xact_id"), editable=False
            ),
        ),
        migrations.AddIndex(
            model_name="inbox",
            index=models.Index(
                condition=models.Q(("deaths", 0)),
                fields=["txid", "event"],
                name="inbox_order",
            ),
        ),
    ]
