"""Find the rows of a subject by an index, which holds no rows without one.

Where this was interrupted: DROP INDEX CONCURRENTLY agent_task_subject,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0012_subject")]
    operations = [
        AddIndexConcurrently(
            model_name="agenttask",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "id"],
                name="agent_task_subject",
            ),
        ),
    ]
