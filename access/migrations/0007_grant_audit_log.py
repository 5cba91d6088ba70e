"""Let administrators read the audit log."""

from django.db import migrations

from access.roles import ADMIN, grant


def grant_audit_log(apps, schema_editor):
    grant(apps, ADMIN, ["access.view_auditlog"])


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0006_audit_history"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunPython(grant_audit_log, migrations.RunPython.noop),
    ]
