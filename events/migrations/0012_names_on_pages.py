"""Name the rows as the pages do. The database does not change."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0011_inbox_order")]
    operations = [
        migrations.AlterModelOptions(
            name="inbox",
            options={"verbose_name": "waiting event", "verbose_name_plural": "inbox"},
        ),
    ]
