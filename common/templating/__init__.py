"""Paths and templates without code, which texts of people read documents with.

    path = parse_path("body.items[*].id")
    template = parse_template('{{ body.id }}: {{ body.note | default("none") }}')

    path.find(document)         # the value, or MISSING
    template.render(document)   # text
    template.resolve(document)  # the value itself, if the template is a single place

Both are parsed once and are immutable. A document consists of JSON values: objects,
lists, text, numbers, booleans and null; nothing else of Python can be reached. Parsing
takes time in proportion to the text, rendering to the text, the output and the values
that are read; each of these has a limit. The language is in `docs/templates.md`.
"""

from __future__ import annotations

from common.templating.errors import InvalidTemplate, RenderingFailed, TemplateError
from common.templating.paths import Path, parse_path
from common.templating.templates import Template, parse_template

__all__ = [
    "InvalidTemplate",
    "Path",
    "RenderingFailed",
    "Template",
    "TemplateError",
    "parse_path",
    "parse_template",
]
