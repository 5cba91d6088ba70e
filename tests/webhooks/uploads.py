"""Documents of webhook types that tests upload."""

from __future__ import annotations

from typing import Any

PARSER = """
def parse_parcel(body, headers, webhook_config):
    parcel = body.get('parcel', {})
    return {'parcel_id': parcel.get('id'), 'is_late': 'late_since' in parcel}
"""

# The minimal upload.
MINIMAL: dict[str, Any] = {"parser": "DynamicWebhookParser", "json_schema": {}}

PARCELS: dict[str, Any] = {
    "slug": "parcels",
    "name": "Parcels",
    "parser": "DynamicWebhookParser",
    "required_config_fields": ["api_key"],
    "json_schema": {
        "type": "object",
        "required": ["event_type", "data"],
        "properties": {
            "event_type": {"type": "string"},
            "data": {"type": "object"},
        },
    },
    "event_type": [{"body": "/event_type"}],
    "delivery_id": [{"header": "X-Parcel-Id"}],
}

SIGNED: dict[str, Any] = {
    **MINIMAL,
    "signature": {
        "kind": "hmac",
        "signed": "{body}",
        "read_from": {"headers": ["X-Parcel-Signature"]},
    },
    "signature_required": True,
}
