"""Test-mode URLs: what is sent to one is shown for an hour, and never an event."""

from __future__ import annotations
