from __future__ import annotations

import json

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.errors import TickhookError
from webserver.body import Message, Scope
from webserver.limits import DOOR


def refusal(error: TickhookError, scope: Scope) -> list[Message]:
    """Return the answer to a request that is not read to its end, as ASGI messages."""
    problem = problem_of(error)
    path: str = scope["path"]
    body = problem_body(problem, request_id=request_id_of(_sent_id(scope)))
    body["instance"] = path
    if path.startswith(DOOR):
        body |= {"success": False, "error": problem.detail}
    content = json.dumps(body).encode()
    headers = {
        "content-type": PROBLEM_JSON,
        "content-length": str(len(content)),
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    if scope["http_version"].startswith("1"):
        headers["connection"] = "close"
    return [
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        },
        {"type": "http.response.body", "body": content, "more_body": False},
    ]


def _sent_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text
    return ""
