"""Make the names of triggers unique within their subject, and list them by it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0006_condition_errors_are_skipped")]
    operations = [
        migrations.RemoveConstraint(model_name="trigger", name="trigger_name_unique"),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=("name", "subject"),
                name="trigger_name_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="trigger",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "id"],
                name="trigger_subject",
            ),
        ),
    ]
