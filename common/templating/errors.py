from __future__ import annotations


class TemplateError(ValueError):
    """A path or a template is not valid, or a document does not fit it.

    `line` and `column` count from 1. No message contains a value of a document.
    """

    def __init__(self, detail: str, *, text: str, at: int) -> None:
        self.detail = detail
        self.line = text.count("\n", 0, at) + 1
        self.column = at - text.rfind("\n", 0, at)
        where = f"Column {self.column}"
        if "\n" in text:
            where = f"Line {self.line}, column {self.column}"
        super().__init__(f"{where}: {detail}")


class InvalidTemplate(TemplateError):
    """The text of a path or a template is not valid."""


class RenderingFailed(TemplateError):
    """A value is missing or unsuitable, or a limit of the rendering is reached."""
