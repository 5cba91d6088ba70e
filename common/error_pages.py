"""Answers to errors that no view has answered; `config.urls` names the handlers."""

from __future__ import annotations

import sys

from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.database.errors import (
    drop_connection,
    is_unavailable,
    outages,
)
from common.errors import ServiceUnavailable

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Database unavailable</title></head>
<body>
<h1>The database is not available</h1>
<p>Your last change may be missing. Reload the page in a few seconds and check.</p>
</body>
</html>
"""


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 503 if the database is unavailable, and Django's page otherwise."""
    error = sys.exc_info()[1]  # Django calls this while it handles the exception
    if error is not None and is_unavailable(error):
        return _unavailable(request, error)
    return defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 503 if a session could not be saved, and Django's page otherwise.

    Any database error of saving a session reaches us as SessionInterrupted, which says
    that the session was deleted meanwhile.
    """
    cause = _error_of_saving(exception)
    if cause is not None and is_unavailable(cause):
        return _unavailable(request, cause)
    return defaults.bad_request(request, exception)


def _error_of_saving(error: Exception) -> BaseException | None:
    """Return what SessionStore.save() caught before it raised UpdateError."""
    if not isinstance(error, SessionInterrupted) or error.__context__ is None:
        return None
    return error.__context__.__context__


def _unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    outages.note(error)
    drop_connection()
    problem = problem_of(ServiceUnavailable())
    if request.path.startswith("/api/"):
        request_id = request_id_of(request.headers.get("X-Request-Id", ""))
        body = problem_body(problem, request_id=request_id)
        response: HttpResponse = JsonResponse(
            body | {"instance": request.path}, content_type=PROBLEM_JSON
        )
    else:
        response = HttpResponse(_PAGE)
    response.status_code = problem.status
    for name, value in problem.headers.items():
        response[name] = value
    # Django would log the exception a second time, with its traceback.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
