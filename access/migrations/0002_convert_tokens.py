"""Replace the API tokens in plain text, of rest_framework.authtoken, by their digests.

The table of that app stays, empty: processes of the version before still read it. They
refuse all tokens from here on.
"""

import hashlib

from django.db import migrations


def convert(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('authtoken_token')")
        if cursor.fetchone()[0] is None:
            return
        cursor.execute("DELETE FROM authtoken_token RETURNING key, user_id, created")
        rows = cursor.fetchall()
    token = apps.get_model("access", "ApiToken")
    for key, user_id, created in rows:
        digest = hashlib.sha256(key.encode()).hexdigest()
        new, _ = token.objects.get_or_create(
            digest=digest, defaults={"prefix": key[:8], "user_id": user_id}
        )
        # The column is filled by `auto_now_add` when a row is inserted.
        token.objects.filter(pk=new.pk).update(created_at=created)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    # Backwards nothing can be done: the digests do not tell the tokens.
    operations = [migrations.RunPython(convert, migrations.RunPython.noop)]
