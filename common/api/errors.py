"""Errors as RFC 9457 problem documents, with the seeds' envelope as further members."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from common.errors import (
    Fault,
    InvalidInput,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    TickhookError,
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
    409: "Conflict",
    413: "Payload too large",
    415: "Unsupported content type",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Unavailable for now",
}


class Forbidden(TickhookError):
    """You do not have permission to do this."""

    code = "forbidden"
    http_status = 403


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view; what nobody foresaw is logged and a 500."""
    request_id = _request_id(context)
    problem, headers = _describe(error, request_id)
    set_rollback()
    request = context.get("request")
    problem["instance"] = request.path if request is not None else ""
    response = Response(problem, status=problem["status"], headers=headers)
    renderer = getattr(request, "accepted_renderer", None)
    if renderer is None or renderer.format == "json":
        response.content_type = PROBLEM_JSON
    return response


def problem_body(error: TickhookError, *, request_id: UUID) -> dict[str, Any]:
    """Return the problem document of one of our own errors."""
    return _body(
        error.http_status, error.code, error.detail, error.faults, request_id=request_id
    )


def _describe(
    error: Exception, request_id: UUID
) -> tuple[dict[str, Any], dict[str, str]]:
    if isinstance(error, exceptions.APIException):
        return _describe_api(error, request_id)
    own = _as_own(error)
    if own is None:
        logger.error("Unforeseen error, request %s", request_id, exc_info=error)
        own = TickhookError("An error was logged under this request_id.")
    return problem_body(own, request_id=request_id), _retry_after(own)


def _as_own(error: Exception) -> TickhookError | None:
    match error:
        case TickhookError():
            return error
        case OperationalError() | InterfaceError():
            logger.warning("Database unavailable: %s", type(error).__name__)
            return ServiceUnavailable()
        case Http404():
            return NotFound()
        case PermissionDenied():
            return Forbidden()
    return None


def _describe_api(
    error: exceptions.APIException, request_id: UUID
) -> tuple[dict[str, Any], dict[str, str]]:
    faults = []
    code, detail = str(error.default_code), str(error.detail)
    if isinstance(error, exceptions.ValidationError):
        faults = list(_faults(error.detail))
        code = InvalidInput.code
        detail = "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in faults[:5])
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    body = _body(error.status_code, code, detail, faults, request_id=request_id)
    return body, headers


def _faults(detail: Any, pointer: str = "") -> Iterator[Fault]:
    """Turn DRF's nested error lists into JSON Pointers."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            is_general = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _faults(value, pointer if is_general else f"{pointer}/{key}")
    elif isinstance(detail, list):
        for place, item in enumerate(detail):
            is_nested = isinstance(item, (Mapping, list))
            yield from _faults(item, f"{pointer}/{place}" if is_nested else pointer)
    else:
        yield Fault(pointer, str(detail))


def _body(
    status: int,
    code: str,
    detail: str,
    faults: Any,
    *,
    request_id: UUID,
) -> dict[str, Any]:
    errors = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    return {
        "type": f"urn:tickhook:error:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "errors": errors,
        "error_code": code,
        "error_message": detail,
        "details": errors,
        "timestamp": timezone.now().isoformat(),
        "request_id": str(request_id),
    }


def _retry_after(error: TickhookError) -> dict[str, str]:
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_seconds)}
    if error.http_status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _request_id(context: dict[str, Any]) -> UUID:
    request = context.get("request")
    sent = request.headers.get("X-Request-Id", "") if request is not None else ""
    try:
        return UUID(sent)
    except ValueError:
        return uuid7()
