"""What a call may raise: `SmsLedgerError` and its kinds. A refused item of a batch is a result, not an error."""

from __future__ import annotations


class SmsLedgerError(Exception):
    """A call did not succeed."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        error_code: int | None = None,
        status_code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """For people; names the field that is at fault."""
        self.code = code
        """For programs: `TEMPLATE_NOT_FOUND`. The client's own are CONNECTION_FAILED, TIMEOUT, UNEXPECTED_ANSWER."""
        self.error_code = error_code
        """The numeric code (1001 to 1006), where the case has one."""
        self.status_code = status_code
        """The HTTP status; None where there was no answer."""
        self.request_id = request_id
        """The answer's `X-Request-Id`, for those who run the service; without an answer, the one that was sent."""
        self.retry_after = retry_after
        """Seconds after which trying again makes sense, where the service said so."""
        self.idempotency_key = idempotency_key
        """The key that the send went out with: sending again with it cannot send twice. None for other calls."""

    def __str__(self) -> str:
        """The message, and what to look for in the service's log."""
        known = [
            f"{name} {value}"
            for name, value in (
                ("status", self.status_code),
                ("error code", self.error_code),
                ("request", self.request_id),
            )
            if value is not None
        ]
        return f"{self.code}: {self.message}" + (f" ({', '.join(known)})" if known else "")


class InvalidRequestError(SmsLedgerError):
    """The request is wrong as it stands; the message names the field."""


class AuthenticationError(SmsLedgerError):
    """401: no API key, or not a valid one."""


class PermissionDeniedError(SmsLedgerError):
    """403: the key, or the organization, may not do this."""


class NotFoundError(SmsLedgerError):
    """404: there is no such message, template or webhook."""


class IdempotencyError(SmsLedgerError):
    """409 or 422: the idempotency key is in use, or was used for something else."""


class RateLimitedError(SmsLedgerError):
    """429: too many requests."""


class ServiceError(SmsLedgerError):
    """5xx, or an answer that is not the API's."""


class ConnectionFailedError(SmsLedgerError):
    """No answer. Unless the call can be repeated safely, whether it was carried out is not known."""


class TimedOutError(ConnectionFailedError):
    """No answer in time."""


def kind_of(status_code: int, code: str) -> type[SmsLedgerError]:
    """The kind of error for an HTTP status and the API's code."""
    if code.startswith("IDEMPOTENCY_KEY_"):
        return IdempotencyError
    kinds = {401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError, 429: RateLimitedError}
    return kinds.get(status_code, InvalidRequestError if 400 <= status_code < 500 else ServiceError)
