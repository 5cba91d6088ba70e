"""Name the rows as the pages do. The database does not change."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0008_pending_fetches")]
    operations = [
        migrations.AlterModelOptions(
            name="webhookendpoint",
            options={"ordering": ("-created_at",), "verbose_name": "webhook"},
        ),
    ]
