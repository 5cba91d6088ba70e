"""Delete the sessions of Django's own engine: from here on those of access are used.

Nothing would read or delete them any more, and their keys are secrets.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("access", "0004_session"), ("sessions", "0001_initial")]
    operations = [
        migrations.RunSQL("DELETE FROM django_session", migrations.RunSQL.noop)
    ]
