"""The whole of Tickhook on one machine: what `make up` runs."""

from __future__ import annotations
