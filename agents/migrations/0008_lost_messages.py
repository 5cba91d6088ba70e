"""Count the lost messages of a task, so that it is not published again forever."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0007_names_on_pages")]
    operations = [
        migrations.AddField(
            model_name="agenttask",
            name="lost_messages",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
