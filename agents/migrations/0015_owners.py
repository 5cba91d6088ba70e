"""Add the owners of agents."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0014_audit_history"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            model_name="agent",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                limit_choices_to={"is_active": True},
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="owned_%(class)ss",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="agent",
            name="owner_groups",
            field=models.ManyToManyField(
                blank=True,
                related_name="owned_%(class)ss",
                to="auth.group",
                verbose_name="owned together with",
            ),
        ),
        migrations.AddField(
            model_name="agent",
            name="owner_lost_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
