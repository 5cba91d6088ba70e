"""Order the leases by the transactions of their claims; claims start at a floor."""

from django.db import migrations, models

import common.fields


class Migration(migrations.Migration):
    dependencies = [("executions", "0008_purge_every_hour")]
    operations = [
        migrations.AddField(
            model_name="drainlease",
            name="txid",
            field=common.fields.Xid8Field(
                db_default=models.Func(function="pg_current_xact_id"), editable=False
            ),
        ),
        migrations.AddIndex(
            model_name="drainlease",
            index=models.Index(fields=["txid"], name="lease_order"),
        ),
    ]
