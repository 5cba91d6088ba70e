"""Name the rows as the pages do. The database does not change."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0006_turns")]
    operations = [
        migrations.AlterModelOptions(
            name="agenttask",
            options={"verbose_name": "task"},
        ),
    ]
