"""Keep each upload of a webhook type as a version; what is there is the first kept."""

import common.fields
import common.ids
import django.db.models.deletion
from django.db import migrations, models


def keep_as_versions(apps, schema_editor):
    version = apps.get_model("webhooks", "WebhookTypeVersion")
    for row in apps.get_model("webhooks", "WebhookType").objects.all():
        row.current = version.objects.create(
            slug=row.slug, version=row.version, document=row.definition
        )
        row.save(update_fields=["current"])
    check_now(schema_editor)


def keep_the_current(apps, schema_editor):
    kinds = apps.get_model("webhooks", "WebhookType").objects
    for row in kinds.select_related("current"):
        row.version, row.definition = row.current.version, row.current.document
        row.current = None
        row.save(update_fields=["version", "definition", "current"])
    check_now(schema_editor)


def check_now(schema_editor):
    """PostgreSQL alters no table of which rows are still to be checked."""
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_drop_endpoint_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookTypeVersion',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.CharField(max_length=50)),
                ('version', models.PositiveIntegerField()),
                ('document', common.fields.RawJSONField()),
                ('created_by', models.CharField(blank=True, default='', max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('slug', '-version'),
                'constraints': [models.UniqueConstraint(fields=('slug', 'version'), name='webhook_type_version_unique')],
            },
        ),
        migrations.AddField(
            model_name='webhooktype',
            name='current',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='webhooks.webhooktypeversion'),
        ),
        migrations.AlterField(
            model_name='webhooktype',
            name='definition',
            field=models.JSONField(null=True),
        ),
        migrations.RunPython(keep_as_versions, keep_the_current),
        migrations.RemoveField(
            model_name='webhooktype',
            name='definition',
        ),
        migrations.RemoveField(
            model_name='webhooktype',
            name='version',
        ),
        migrations.AlterField(
            model_name='webhooktype',
            name='current',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='webhooks.webhooktypeversion'),
        ),
    ]
