"""The attempts of one call: what is sent, what an answer means, and whether and when to try again. It sends nothing.

`client.py` sends and waits, in the sync and in the async way.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import httpx

from .calls import Call
from .errors import ConnectionFailedError, ServiceError, SmsLedgerError, TimedOutError, kind_of
from .parsing import Unparsable
from .results import Result

T = TypeVar("T")

EXCERPT_CHARACTERS = 100
"""Of an answer that is not the API's."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_BETTER = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True)
class Retries:
    """How often and when to try again. Seconds."""

    most: int = 3
    """Attempts after the first."""
    first_wait: float = 0.25
    """Doubles from attempt to attempt; the actual wait is between half of it and all of it, by chance."""
    longest_wait: float = 8.0
    longest_retry_after: float = 60.0
    """Told to wait longer, the caller is told instead."""

    def allow(self, error: SmsLedgerError, *, repeatable: bool, never_sent: bool) -> bool:
        """Whether another attempt may follow this error, as far as the error goes."""
        if (error.retry_after or 0) > self.longest_retry_after:
            return False
        # 429 is answered before anything is done.
        if never_sent or error.status_code == 429:
            return True
        if not repeatable:
            return False
        # A key in use: our own earlier attempt, whose answer was lost, is still being carried out.
        if isinstance(error, ConnectionFailedError) or error.code == "IDEMPOTENCY_KEY_IN_USE":
            return True
        status = error.status_code or 0
        return status == 408 or status >= 500

    def wait(self, attempt: int, retry_after: float | None, chance: float) -> float:
        """Before the attempt after number `attempt` (the first is 0): never sooner than the service asks."""
        ceiling: float = min(self.longest_wait, self.first_wait * 2**attempt)
        return (retry_after or 0) + ceiling / 2 * (1 + chance)


@dataclass(frozen=True)
class Done(Generic[T]):
    """The call's result."""

    value: T


@dataclass(frozen=True)
class Wait:
    """Another attempt follows."""

    seconds: float


class Attempts(Generic[T]):
    """A call under way."""

    def __init__(self, call: Call[T], retries: Retries, chance: Callable[[], float] = random.random) -> None:
        self._call = call
        self._retries = retries
        self._chance = chance
        self._made = 0
        self._request_id = uuid.uuid4().hex
        self.headers = {"X-Request-Id": self._request_id}
        """Of every attempt."""
        self.content: bytes | None = None
        """Of every attempt: the same bytes."""
        if call.body is not None:
            self.content = json.dumps(call.body, ensure_ascii=False, separators=(",", ":")).encode()
            self.headers["Content-Type"] = "application/json"
        if call.position is not None:
            self.headers["Ledger-Position"] = str(call.position)
        if call.idempotency_key is not None:
            self.headers["Idempotency-Key"] = call.idempotency_key

    def outcome(self, answer: httpx.Response | httpx.RequestError) -> Done[T] | Wait:
        """What follows from an attempt's answer. Raises SmsLedgerError where nothing follows."""
        attempt, self._made = self._made, self._made + 1
        try:
            if isinstance(answer, httpx.RequestError):
                raise self._no_answer(answer) from answer
            if self._call.removes and attempt > 0 and answer.status_code == 404:
                return Done(self._call.read(None))
            return Done(self._result(answer))
        except SmsLedgerError as error:
            if attempt >= self._retries.most or isinstance(answer, _NEVER_BETTER):
                raise
            never_sent = isinstance(answer, _NEVER_SENT)
            if not self._retries.allow(error, repeatable=self._call.repeatable, never_sent=never_sent):
                raise
            return Wait(self._retries.wait(attempt, error.retry_after, self._chance()))

    def _result(self, answer: httpx.Response) -> T:
        data = _decoded(answer)
        if not answer.is_success:
            raise self._refusal(answer, data)
        try:
            result = self._call.read(data)
        except (Unparsable, TypeError) as problem:
            raise self._unexpected(answer, str(problem)) from None
        position = answer.headers.get("Ledger-Position", "")
        return _at(int(position), result) if position.isdigit() else result

    def _refusal(self, answer: httpx.Response, data: Any) -> SmsLedgerError:
        refused = data.get("error") if isinstance(data, dict) else None
        if not isinstance(refused, dict) or "code" not in refused:
            return self._unexpected(answer, answer.text[:EXCERPT_CHARACTERS])
        code = str(refused["code"])
        return kind_of(answer.status_code, code)(
            str(refused.get("message", "")),
            code=code,
            error_code=refused.get("errorCode"),
            status_code=answer.status_code,
            request_id=answer.headers.get("X-Request-Id", self._request_id),
            retry_after=retry_after_seconds(answer.headers.get("Retry-After")),
            idempotency_key=self._call.idempotency_key,
        )

    def _unexpected(self, answer: httpx.Response, why: str) -> SmsLedgerError:
        """For what is not the API's, such as a proxy's page."""
        return ServiceError(
            f"not an answer of the API, check base_url (status {answer.status_code}): {why}",
            code="UNEXPECTED_ANSWER",
            status_code=answer.status_code,
            request_id=answer.headers.get("X-Request-Id", self._request_id),
            retry_after=retry_after_seconds(answer.headers.get("Retry-After")),
            idempotency_key=self._call.idempotency_key,
        )

    def _no_answer(self, failure: httpx.RequestError) -> SmsLedgerError:
        late = isinstance(failure, httpx.TimeoutException)
        return (TimedOutError if late else ConnectionFailedError)(
            f"{'no answer in time' if late else 'no answer'} ({str(failure) or type(failure).__name__})",
            code="TIMEOUT" if late else "CONNECTION_FAILED",
            request_id=self._request_id,
            idempotency_key=self._call.idempotency_key,
        )


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for, which has seconds or a date; None where it has neither."""
    if header is None:
        return None
    try:
        if header.strip().isdigit():
            return float(header)
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:  # a date that says -0000, which is UTC too
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - (now or datetime.now(timezone.utc))).total_seconds())


def _at(position: int, result: T) -> T:
    """The result with its position; of a batch each."""
    if isinstance(result, list):
        return [_at(position, one) for one in result]  # type: ignore[return-value]  # a list as before
    return replace(result, position=position) if isinstance(result, Result) else result


def _decoded(answer: httpx.Response) -> Any:
    """The JSON of an answer; None where it has none."""
    try:
        return json.loads(answer.content) if answer.content else None
    except ValueError:
        return None
