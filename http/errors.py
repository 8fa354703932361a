"""The one table of HTTP statuses and error codes, and the seed's error envelope around them.

Messages come from the errors themselves; nothing here words one, save for what the framework raises.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from psycopg_pool import PoolTimeout

from smsledger.application import (
    accept,
    consent,
    directory,
    idempotency,
    ledger,
    ports,
    rate_limits,
    webhooks,
)
from smsledger.application.admin import approvals, keys, organizations, senders, templates
from smsledger.domain.errors import LedgerError
from smsledger.domain.ids import InvalidMessageId, InvalidWebhookId
from smsledger.domain.phone_number import InvalidPhoneNumber
from smsledger.projections.messages import InvalidPage
from smsledger.projections.page_cursor import InvalidCursor

from .request_id import SCOPE_NAME as REQUEST_ID

log = structlog.get_logger(__name__)

OK = 0
SUPPRESSED = 1006
"""`errorCode` of a message that was recorded as BLOCKED; not an error of the request."""
PATH_SHOWN_MAX = 100
"""Characters of an unknown path that are said back."""
ITEM_INVALID = 1000
"""`errorCode` of a batch item that is refused for a reason the page has no code for."""


class InvalidRequest(LedgerError):
    """The request's body or parameters cannot be used."""

    message = "{problem}"


class Unauthorized(LedgerError):
    """No key, or one that is not known."""

    message = "invalid or missing API key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`"


class Forbidden(LedgerError):
    """The key is good and may not do this."""

    message = "this needs {needed} key, not a {kind} key"


class MessageNotFound(LedgerError):
    """No such message, or another organization's: the answer is the same."""

    message = "message not found"


class ProjectionBehind(LedgerError):
    """The list has not come to the position that the client has seen."""

    message = (
        "the list has not reached position {position} within {waited_s} s: try again, or leave the header out"
    )


class ErrorKind(msgspec.Struct, frozen=True):
    """How an error is answered."""

    status: int
    code: str
    number: int | None = None
    """The seed's numeric code, where it has one."""
    retry_after_s: int | None = None
    field: str | None = None
    """The field that is at fault, where the error itself does not know it."""


ERRORS: dict[type[LedgerError], ErrorKind] = {
    InvalidRequest: ErrorKind(400, "INVALID_REQUEST", ITEM_INVALID),
    accept.InvalidField: ErrorKind(400, "INVALID_REQUEST", ITEM_INVALID),
    accept.BodyLength: ErrorKind(400, "INVALID_REQUEST", ITEM_INVALID),
    directory.MissingVariable: ErrorKind(400, "INVALID_REQUEST", ITEM_INVALID),
    directory.TemplateFailed: ErrorKind(400, "INVALID_REQUEST", ITEM_INVALID),
    InvalidCursor: ErrorKind(400, "INVALID_REQUEST", field="cursor"),
    InvalidPage: ErrorKind(400, "INVALID_REQUEST"),
    InvalidPhoneNumber: ErrorKind(400, "INVALID_REQUEST", 1001, field="to"),
    accept.TemplateNotFound: ErrorKind(404, "TEMPLATE_NOT_FOUND", 1002),
    accept.TemplateNotApproved: ErrorKind(403, "TEMPLATE_NOT_APPROVED", 1003),
    accept.NoPoolNumber: ErrorKind(400, "NO_POOL_NUMBER", 1004),
    accept.SmsNotEnabled: ErrorKind(403, "SMS_NOT_ENABLED", 1005),
    Unauthorized: ErrorKind(401, "UNAUTHORIZED"),
    Forbidden: ErrorKind(403, "FORBIDDEN"),
    directory.OrganizationMissing: ErrorKind(401, "UNAUTHORIZED"),
    MessageNotFound: ErrorKind(404, "MESSAGE_NOT_FOUND"),
    InvalidMessageId: ErrorKind(404, "MESSAGE_NOT_FOUND"),
    ledger.MessageMissing: ErrorKind(404, "MESSAGE_NOT_FOUND"),
    idempotency.KeyInFlight: ErrorKind(409, "IDEMPOTENCY_KEY_IN_USE", retry_after_s=1),
    idempotency.KeyReused: ErrorKind(422, "IDEMPOTENCY_KEY_REUSED"),
    consent.ConsentContended: ErrorKind(503, "LEDGER_BUSY", retry_after_s=1),
    rate_limits.RateLimited: ErrorKind(429, "RATE_LIMITED", retry_after_s=1),
    ports.LedgerBusy: ErrorKind(503, "LEDGER_BUSY", retry_after_s=1),
    ports.LedgerUnavailable: ErrorKind(503, "LEDGER_UNAVAILABLE", retry_after_s=1),
    ProjectionBehind: ErrorKind(503, "PROJECTION_BEHIND", retry_after_s=1),
    organizations.OrganizationNotFound: ErrorKind(404, "ORGANIZATION_NOT_FOUND"),
    organizations.OrganizationExists: ErrorKind(409, "ORGANIZATION_EXISTS"),
    keys.KeyNotFound: ErrorKind(404, "KEY_NOT_FOUND"),
    templates.TemplateInvalid: ErrorKind(400, "INVALID_REQUEST"),
    templates.TemplateMissing: ErrorKind(404, "TEMPLATE_NOT_FOUND"),
    templates.AliasTaken: ErrorKind(409, "ALIAS_TAKEN"),
    approvals.NotOfThePool: ErrorKind(409, "NOT_A_POOL_TEMPLATE"),
    senders.SenderNotFound: ErrorKind(404, "SENDER_NOT_FOUND"),
    senders.SenderNotFoundFor: ErrorKind(404, "SENDER_NOT_FOUND"),
    senders.SenderExists: ErrorKind(409, "SENDER_EXISTS"),
    senders.SenderTaken: ErrorKind(409, "SENDER_TAKEN"),
    webhooks.WebhookNotFound: ErrorKind(404, "WEBHOOK_NOT_FOUND"),
    InvalidWebhookId: ErrorKind(404, "WEBHOOK_NOT_FOUND"),
    webhooks.TooManyWebhooks: ErrorKind(409, "TOO_MANY_WEBHOOKS"),
}
"""Every error that a client can cause or meet. One that is missing here is a fault of ours: 500."""

INTERNAL = ErrorKind(500, "INTERNAL_ERROR", ITEM_INVALID)
_FRAMEWORK_CODES = {
    400: "INVALID_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_TOO_LARGE",
    415: "INVALID_REQUEST",
}


class ErrorDetail(msgspec.Struct, rename="camel", omit_defaults=True):
    """The seed's error object; `errorCode` is added where the page has a numeric code for the case."""

    code: str
    message: str
    status_code: int
    error_code: int | None = None


class ErrorBody(msgspec.Struct):
    """The seed's error envelope."""

    error: ErrorDetail


def kind_of(error: LedgerError) -> ErrorKind:
    """How to answer `error`."""
    return next((ERRORS[cls] for cls in type(error).__mro__ if cls in ERRORS), INTERNAL)


def message_of(error: LedgerError) -> str:
    """What the client is told: our own faults are not spelled out to it."""
    kind = kind_of(error)
    if kind is INTERNAL:
        return "internal error"
    return f"{kind.field}: {error}" if kind.field else str(error)


def error_body(error: LedgerError) -> ErrorBody:
    """The envelope around an error."""
    kind = kind_of(error)
    number = None if kind.number == ITEM_INVALID else kind.number
    return ErrorBody(ErrorDetail(kind.code, message_of(error), kind.status, number))


def on_ledger_error(request: Request[Any, Any, Any], error: LedgerError) -> Response[ErrorBody]:
    """Answer an error of the ledger."""
    kind = kind_of(error)
    if kind is INTERNAL:
        log.error(
            "request_failed",
            path=request.url.path,
            request_id=_request_id(request),
            error=repr(error),
            exc_info=error,
        )
    return _response(kind, error_body(error))


def on_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorBody]:
    """Answer what the framework refuses: unknown paths, methods, too large bodies."""
    code = _FRAMEWORK_CODES.get(
        error.status_code, "INVALID_REQUEST" if error.status_code < 500 else "INTERNAL_ERROR"
    )
    # The framework's own headers say, for one, which methods are allowed (RFC 9110, section 15.5.6).
    kind = ErrorKind(error.status_code, code)
    headers = dict(error.headers or {})
    allowed = headers.get("allow", "").split(", ")
    if "GET" in allowed:  # the fast lane answers HEAD with what GET answers
        headers["allow"] = ", ".join([*allowed, "HEAD"])
    words = _words_for(request, error, headers.get("allow", "others"))
    return _response(kind, _plain_body(kind, words), headers)


def _words_for(request: Request[Any, Any, Any], error: HTTPException, allowed: str) -> str:
    match error.status_code:
        case 404:
            return f"nothing is at {request.url.path[:PATH_SHOWN_MAX]}: see /docs"
        case 405:
            return f"{request.method} is not possible here, only {allowed}"
        case 413:
            return f"the body is larger than {request.app.request_max_body_size} bytes"
    return error.detail


def on_store_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """Answer a read that PostgreSQL did not answer."""
    log.warning(
        "event_store_unreachable",
        path=request.url.path,
        request_id=_request_id(request),
        error=str(error).strip(),
    )
    unavailable = ports.LedgerUnavailable(reason="it does not answer")
    return _response(kind_of(unavailable), error_body(unavailable))


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """Answer a fault of ours; the log has the details, the client has not."""
    log.error(
        "request_failed",
        path=request.url.path,
        request_id=_request_id(request),
        error=repr(error),
        exc_info=error,
    )
    return _response(INTERNAL, _plain_body(INTERNAL, "internal error"))


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """Answer any error, by the handler of its class."""
    handler = next(HANDLERS[cls] for cls in type(error).__mro__ if cls in HANDLERS)
    return handler(request, error)


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[ErrorBody]]] = {
    LedgerError: on_ledger_error,
    HTTPException: on_framework_error,
    psycopg.Error: on_store_error,
    PoolTimeout: on_store_error,
    Exception: on_fault,
}


def _request_id(request: Request[Any, Any, Any]) -> str | None:
    named: Mapping[str, Any] = request.scope
    return named.get(REQUEST_ID)


def _plain_body(kind: ErrorKind, message: str) -> ErrorBody:
    return ErrorBody(ErrorDetail(kind.code, message, kind.status))


def _response(
    kind: ErrorKind, body: ErrorBody, framework_headers: Mapping[str, str] | None = None
) -> Response[ErrorBody]:
    headers = dict(framework_headers or {})
    if kind.retry_after_s is not None:
        headers["Retry-After"] = str(kind.retry_after_s)
    if kind.status == 401:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, section 15.5.2
    return Response(body, status_code=kind.status, headers=headers)
