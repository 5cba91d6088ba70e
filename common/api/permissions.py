from __future__ import annotations

from rest_framework.permissions import DjangoModelPermissions

_CHANGE = "%(app_label)s.change_%(model_name)s"
_VIEW = "%(app_label)s.view_%(model_name)s"


class ModelPermissions(DjangoModelPermissions):
    """Django's model permissions; reading needs `view`, not only a login."""

    perms_map = {  # noqa: RUF012 - DRF declares it on instances
        **DjangoModelPermissions.perms_map,
        "GET": [_VIEW],
        "HEAD": [_VIEW],
    }


class ChangePermissions(ModelPermissions):
    """For a POST that acts on an object there is already."""

    perms_map = {  # noqa: RUF012 - see above
        **ModelPermissions.perms_map,
        "POST": [_CHANGE],
    }


class AskPermissions(ModelPermissions):
    """For a POST that only asks something and changes nothing."""

    perms_map = {  # noqa: RUF012 - see above
        **ModelPermissions.perms_map,
        "POST": [_VIEW],
    }
