from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class TickhookAdminConfig(AdminConfig):
    # A path, because the site imports models, which are not loaded yet.
    default_site = "config.admin_site.TickhookAdminSite"
