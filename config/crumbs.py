"""The path of a page in its heading: the names of the navigation, then the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.template import Context, Library
from django.urls import resolve, reverse

from config.admin_site import INTERNAL_TABLES
from config.navigation import PARENTS, administers

# By the end of a URL's name: what a page does with its row.
PAGES = {
    "_add": "Add",
    "_delete": "Delete",
    "_history": "Changes",
    "_password_change": "Change password",
    "_hand_over": "Hand over",
}

register = Library()


@register.simple_tag(takes_context=True)
def crumbs(context: Context, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return title and link of each part of the path.

    unfold's `parts` are the app, the list and the row, or only the title of a page that
    belongs to no list.
    """
    if len(parts) == 1:
        return parts
    request = context["request"]
    _, of_list, *others = parts
    model_admin = resolve(str(of_list["link"])).func.model_admin  # type: ignore[attr-defined]  # Django's admin sets it
    found = [
        *_parents(request, model_admin.model),
        {"title": model_admin.list_title, "link": of_list["link"]},
    ]
    for part in others:
        title = part["title"]
        if isinstance(title, Model):
            title = model_admin.heading_of(title)
        found.append({"title": title, "link": part.get("link")})
    name = request.resolver_match.url_name or ""
    pages = (page for ending, page in PAGES.items() if name.endswith(ending))
    return [*found, *({"title": page} for page in pages)]


def _parents(request: HttpRequest, model: type[Model]) -> Iterator[dict[str, str]]:
    """Yield the page above a list, if there is one that the user may open."""
    label = model._meta.label_lower
    if label in PARENTS:
        title, above = PARENTS[label]
        app, _, name = above.partition(".")
        if request.user.has_perm(f"{app}.view_{name}"):
            yield {"title": title, "link": reverse(f"admin:{app}_{name}_changelist")}
    elif label in {table for _, table, _ in INTERNAL_TABLES} and administers(request):
        yield {"title": "Internals", "link": reverse("admin:internals")}
