"""Find the endpoints of a subject by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0010_fetched_keys")]
    operations = [
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject"],
                name="webhook_endpoint_subject",
            ),
        ),
    ]
