"""Name the rows as the pages do. The database does not change."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("triggers", "0004_last_run_of_schedules")]
    operations = [
        migrations.AlterModelOptions(
            name="triggerstats",
            options={"verbose_name": "statistics", "verbose_name_plural": "statistics"},
        ),
        migrations.AlterModelOptions(
            name="statsdelta",
            options={"verbose_name": "uncounted statistics", "verbose_name_plural": "uncounted statistics"},
        ),
    ]
