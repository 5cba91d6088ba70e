"""Skip by default what a condition cannot evaluate; stored triggers keep theirs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0005_names_on_pages")]
    operations = [
        migrations.AlterField(
            model_name="trigger",
            name="on_condition_error",
            field=models.CharField(
                choices=[("fail", "Fail"), ("skip", "Skip"), ("match", "Match")],
                default="skip",
                max_length=20,
            ),
        ),
    ]
