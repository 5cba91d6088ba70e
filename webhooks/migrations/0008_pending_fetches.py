"""Rename the model Errand to PendingFetch; its table keeps its name."""

from django.db import migrations


def rename_permissions(apps, schema_editor):
    """Keep the permissions that administrators have granted."""
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="webhooks", codename__endswith="_errand"
    )
    for permission in permissions:
        action = permission.codename.partition("_")[0]
        permission.codename = f"{action}_pendingfetch"
        permission.name = f"Can {action} pending fetch"
        permission.save(update_fields=["codename", "name"])


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0007_errands"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.AlterModelTable(name="errand", table="webhooks_errand"),
        migrations.RenameModel(old_name="Errand", new_name="PendingFetch"),
        migrations.AlterModelOptions(
            name="pendingfetch",
            options={
                "ordering": ("-id",),
                "verbose_name_plural": "pending fetches",
            },
        ),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
