"""Name the rows as the pages do. The database does not change."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0009_lease_order")]
    operations = [
        migrations.AlterModelOptions(
            name="triggerexecution",
            options={"ordering": ("-executed_at", "-id"), "verbose_name": "history entry", "verbose_name_plural": "history"},
        ),
        migrations.AlterModelOptions(
            name="executiontrace",
            options={"verbose_name": "evaluation trace"},
        ),
    ]
