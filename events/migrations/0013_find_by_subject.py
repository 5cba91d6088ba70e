"""Find the rows of a subject by an index, which holds no rows without one.

Where this was interrupted: DROP INDEX CONCURRENTLY event_subject,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0012_names_on_pages")]
    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "id"],
                name="event_subject",
            ),
        ),
    ]
