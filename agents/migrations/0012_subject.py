"""Give tasks the subject of their trigger; `executions` fills in those that exist."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0011_hints")]
    operations = [
        migrations.AddField(
            model_name="agenttask",
            name="subject",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
    ]
