"""Give each task a place in the order in which workers take the tasks of an agent.

Tasks that wait get the time of this migration; new ones come after them.
"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_lost_messages")]
    operations = [
        migrations.AddField(
            model_name="agenttask",
            name="turn_at",
            field=models.DateTimeField(db_default=Now()),
        ),
    ]
