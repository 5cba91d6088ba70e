"""Find the rows of a subject by an index, which holds no rows without one.

Where this was interrupted: DROP INDEX CONCURRENTLY execution_subject,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("executions", "0011_subject")]
    operations = [
        AddIndexConcurrently(
            model_name="triggerexecution",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "executed_at"],
                name="execution_subject",
            ),
        ),
    ]
