"""Say of each version of a schedule how often its trigger had run when it began.

Of the versions that there are it is not known.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0002_claim_due_every_second")]
    operations = [
        migrations.AddField(
            model_name="scheduleversion",
            name="scheduled_runs",
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
