"""How the admin writes what Django leaves to the locale."""

from __future__ import annotations
