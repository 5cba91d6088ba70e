"""Error responses: problem documents (RFC 9457) of the API, and pages for people.

A problem document also has the members `error_code`, `error_message`, `details`,
`timestamp` and `request_id`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import Error as DatabaseFailure
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from django.utils import timezone
from django.views import defaults
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView, set_rollback

from common.api.defaults import RequestTooLarge
from common.database.errors import (
    drop_connection,
    is_unavailable,
    outages,
)
from common.errors import (
    Fault,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    TickhookError,
    join_faults,
    json_pointer,
)
from common.ids import uuid7

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5

TITLES = {
    400: "The request is not valid",
    401: "Authentication is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    413: "Payload too large",
    415: "Unsupported content type",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Something went wrong",
    503: "Unavailable for now",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDocument:
    """The content of an error response."""

    status: int
    code: str
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """Return the response to an exception of a view; log an unexpected one, as 500."""
    request = context.get("request")
    sent = request.headers.get("X-Request-Id", "") if request is not None else ""
    request_id = request_id_of(sent)
    problem = _find_problem(error)
    if problem is None:
        logger.error("Unexpected error, request %s", request_id, exc_info=error)
        problem = problem_of(
            TickhookError("An error was logged under this request_id.")
        )
    if problem.status == 403:
        _log_refusal(request, problem.detail)
    set_rollback()
    body = problem_body(problem, request_id=request_id)
    body["instance"] = request.path if request is not None else ""
    response = Response(body, status=problem.status, headers=dict(problem.headers))
    renderer = getattr(request, "accepted_renderer", None)
    if renderer is None or renderer.format != "api":
        response.content_type = PROBLEM_JSON
    return response


def faults_of(detail: Any, pointer: str = "") -> Iterator[Fault]:
    """Convert DRF's nested error lists into faults with JSON Pointers."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            is_general = key == api_settings.NON_FIELD_ERRORS_KEY
            place = "" if is_general else json_pointer(key)
            yield from faults_of(value, pointer + place)
    elif isinstance(detail, list):
        for number, item in enumerate(detail):
            is_nested = isinstance(item, (Mapping, list))
            yield from faults_of(item, f"{pointer}/{number}" if is_nested else pointer)
    else:
        yield Fault(pointer, str(detail))


def _find_problem(error: Exception) -> ProblemDocument | None:
    """Return the problem document of an error; None if the error is unexpected."""
    match error:
        case exceptions.ValidationError():
            faults = list(faults_of(error.detail))
            return problem_of(InvalidInput(join_faults(faults), faults=faults))
        case exceptions.APIException():
            return _problem_of_drf(error)
        case TickhookError():
            return problem_of(error)
        case DatabaseFailure() if is_unavailable(error):
            outages.record(error)
            drop_connection()
            return problem_of(ServiceUnavailable())
        case Http404():
            return problem_of(NotFound())
        case PermissionDenied():
            return problem_of(Forbidden())
        case RequestDataTooBig():
            return problem_of(RequestTooLarge())
        case SuspiciousOperation():
            return problem_of(InvalidInput())
    return None


def problem_of(error: TickhookError) -> ProblemDocument:
    headers = {}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif error.http_status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return ProblemDocument(
        status=error.http_status,
        code=error.code,
        detail=error.detail,
        faults=error.faults,
        headers=headers,
    )


def _problem_of_drf(error: exceptions.APIException) -> ProblemDocument:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return ProblemDocument(
        status=error.status_code,
        code=str(error.default_code),
        detail=str(error.detail),
        headers=headers,
    )


def problem_body(problem: ProblemDocument, *, request_id: UUID) -> dict[str, Any]:
    errors = [{"pointer": f.pointer, "detail": f.detail} for f in problem.faults]
    return {
        "type": f"urn:tickhook:error:{problem.code}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        "errors": errors,
        "error_code": problem.code,
        "error_message": problem.detail,
        "details": errors,
        "timestamp": timezone.now().isoformat(),
        "request_id": str(request_id),
    }


def request_id_of(sent: str) -> UUID:
    """Return the id that the caller gave the request, or a new one."""
    try:
        return UUID(sent)
    except ValueError:
        return uuid7()


class UnknownPathView(APIView):
    """Answers unknown addresses below `/api/`, by any method, with a 404 of the API."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("The API has no such address")


class SessionEnded(TickhookError):
    """Your session was ended; log in again, and check whether your change was made."""

    code = "session_ended"
    http_status = 401


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""
_UNAVAILABLE = _PAGE.format(
    title="The database is not available",
    text="Your last change may be missing. Reload the page in a few seconds and check.",
)
_ENDED = _PAGE.format(
    title="Your session was ended",
    text='<a href="/admin/">Log in again</a> and check whether your change was made.',
)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return a 503 if the database is unavailable, and Django's page otherwise."""
    error = sys.exc_info()[1]  # Django calls this while it handles the exception
    if error is not None and is_unavailable(error):
        return _unavailable(request, error)
    return defaults.server_error(request)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Log what a person was refused, and return Django's page."""
    _log_refusal(request, str(exception))
    return defaults.permission_denied(request, exception)


def _log_refusal(request: Any, detail: str) -> None:
    """Log what a person or a key was refused, by ids: `detail` names no values.

    Requests without a login are not logged: anyone could fill the log with them.
    """
    user = getattr(request, "user", None)
    match = getattr(getattr(request, "_request", request), "resolver_match", None)
    if match is None or user is None or not user.is_authenticated:
        return
    logger.info(
        "Refused: user %s, key %s, %s %s, row %s: %s",
        user.pk,
        getattr(getattr(request, "auth", None), "pk", None),
        request.method,
        match.view_name,
        match.kwargs.get("pk") or match.kwargs.get("object_id"),
        detail,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Return a 503 if a session could not be saved, a 401 if it was ended meanwhile.

    Django turns any database error of saving a session into SessionInterrupted, whose
    message says that the session was deleted. Other requests get Django's page.
    """
    if not isinstance(exception, SessionInterrupted):
        return defaults.bad_request(request, exception)
    if exception.__context__ is not None:
        # The error that SessionStore.save() caught before it raised UpdateError.
        cause = exception.__context__.__context__
        if cause is not None and is_unavailable(cause):
            return _unavailable(request, cause)
    response = _answer(request, SessionEnded(), page=_ENDED)
    response["WWW-Authenticate"] = "Token"
    return response


def _unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    outages.record(error)
    drop_connection()
    return _answer(request, ServiceUnavailable(), page=_UNAVAILABLE)


def _answer(request: HttpRequest, error: TickhookError, *, page: str) -> HttpResponse:
    """Return the problem document of an error to programs, and a page to people."""
    problem = problem_of(error)
    if request.path.startswith("/api/"):
        request_id = request_id_of(request.headers.get("X-Request-Id", ""))
        body = problem_body(problem, request_id=request_id)
        response: HttpResponse = JsonResponse(
            body | {"instance": request.path}, content_type=PROBLEM_JSON
        )
    else:
        response = HttpResponse(page)
    response.status_code = problem.status
    for name, value in problem.headers.items():
        response[name] = value
    # Otherwise Django logs the exception a second time, with its traceback.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
