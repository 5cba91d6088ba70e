"""Keep each upload of a webhook type as a version. Nothing was uploaded before this."""

import common.fields
import common.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_drop_endpoint_limits'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='webhooktype',
            name='definition',
        ),
        migrations.RemoveField(
            model_name='webhooktype',
            name='version',
        ),
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
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='webhooks.webhooktypeversion'),
        ),
    ]
