"""Find the rows of a subject by an index, which holds no rows without one.

Where this was interrupted: DROP INDEX CONCURRENTLY webhook_endpoint_subject,
then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("webhooks", "0010_fetched_keys")]
    operations = [
        AddIndexConcurrently(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject"],
                name="webhook_endpoint_subject",
            ),
        ),
    ]
