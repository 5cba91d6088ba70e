from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0013_find_by_subject")]
    operations = [
        migrations.AddField(
            model_name="event",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
    ]
