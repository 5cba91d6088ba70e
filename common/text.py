from __future__ import annotations


def clean_text(text: str, *, limit: int) -> str:
    """Return `text` as PostgreSQL can store it: no NUL, no lone surrogate, cut."""
    stored = text[:limit].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return stored.encode("utf-8", "replace").decode()
