"""Every method of the API as a description of its request and of how its answer is read. Nothing is sent here.

The parameters and docstrings of these functions are those of the client's methods, sync and async (`client.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, Generic, Literal, Protocol, TypedDict, TypeVar
from urllib.parse import quote

from .parsing import parse, wire_name
from .results import (
    CreatedWebhook,
    InboundMessage,
    InboundPage,
    Message,
    MessageHistory,
    MessagePage,
    MessageSummary,
    Preview,
    Result,
    SendResult,
    StoredResult,
    Suppression,
    SuppressionHistory,
    SuppressionPage,
    SuppressionStatus,
    Webhook,
    WebhookList,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", bound=Result)

PAGE_COUNT_MAX = 500
"""Rows of a page that the API gives at most."""

Moment = str | date
"""ISO 8601, or a date or datetime; what has no zone is UTC."""


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"


UNSET: Literal[Unset.UNSET] = Unset.UNSET
"""Left as it is, where None means something."""


class _Recipient(TypedDict):
    to: str


class BatchMessage(_Recipient, total=False):
    """A message of a batch: the parameters of `send`, as a dictionary."""

    template_alias: str | None
    template_id: int | None
    template_model: Mapping[str, Any] | None
    tag: str | None
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, which may take several attempts."""

    method: str
    path: str
    read: Callable[[Any], T]
    """Makes the result of the decoded answer. Raises Unparsable."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    idempotency_key: str | None = None
    """One for all attempts."""
    repeatable: bool = True
    """Whether a second attempt can do no harm when it is not known what became of the first."""
    position: int | None = None
    """What a list has to show before it is answered."""
    removes: bool = False
    """Whether a later attempt that finds nothing means that an earlier one has done it."""


class Page(Protocol[T_co]):
    """A page of any list."""

    @property
    def next_cursor(self) -> str | None:
        """Leads to the next page."""
        ...

    def __iter__(self) -> Iterator[T_co]:
        """The rows of this page."""
        ...


@dataclass(frozen=True)
class Pages(Generic[T]):
    """All pages of a list."""

    page: Callable[[str | None], Call[Any]]
    """The call for the page at a cursor; None: the first. Its answer is a `Page[T]`."""


def send(
    *,
    to: str,
    template_alias: str | None = None,
    template_id: int | None = None,
    template_model: Mapping[str, Any] | None = None,
    tag: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[StoredResult]:
    """Send an SMS with a template of the organization or the pool: `template_alias` or `template_id`.

    The message is durable when this returns. All attempts carry one idempotency key, `idempotency_key` or one made for
    the call, so that none can send twice; give your own to be safe over restarts of your program too. A suppressed
    recipient is no error: `error_code` is 1006.
    """
    message = _message(to, template_alias, template_id, template_model, tag, metadata)
    return Call("POST", "/sms", _of(StoredResult), body=message, idempotency_key=_key(idempotency_key))


def send_batch(
    messages: Sequence[BatchMessage | Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Call[list[SendResult]]:
    """Send 1 to 500 SMS in one transaction; a result for each, in the order given.

    A message that is refused harms no other and raises nothing: look at each result's `error_code` (0: accepted).
    """
    body = [{_BATCH_NAMES.get(name, name): value for name, value in one.items()} for one in messages]
    return Call("POST", "/sms/batch", _results, body=body, idempotency_key=_key(idempotency_key))


def preview(
    *,
    to: str,
    template_alias: str | None = None,
    template_id: int | None = None,
    template_model: Mapping[str, Any] | None = None,
    tag: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[Preview]:
    """What `send` would do with these parameters: text, encoding, segments, sender, blocked or not. Nothing is stored."""
    message = _message(to, template_alias, template_id, template_model, tag, metadata)
    return Call("POST", "/sms/preview", _of(Preview), body=message)


def get(message_id: str) -> Call[Message]:
    """A message with everything known of it. Raises NotFoundError."""
    return Call("GET", f"/sms/{_segment(message_id)}", _of(Message))


def events(message_id: str) -> Call[MessageHistory]:
    """Every event of a message as it was stored. Raises NotFoundError."""
    return Call("GET", f"/sms/{_segment(message_id)}/events", _of(MessageHistory))


def list_messages(
    *,
    count: int | None = None,
    offset: int | None = None,
    cursor: str | None = None,
    status: str | None = None,
    direction: str | None = None,
    tag: str | None = None,
    from_date: Moment | None = None,
    to_date: Moment | None = None,
    position: int | None = None,
) -> Call[MessagePage]:
    """A page of messages, newest first: `count` of them (100 unless given, at most 500).

    `from_date` is inclusive, `to_date` exclusive. The next page is at `cursor=page.next_cursor`; `iter` gives all.
    Lists follow the ledger by some milliseconds: given the `position` of an earlier result, this one waits for it.
    """
    query = _query(
        count=count,
        offset=offset,
        cursor=cursor,
        status=status,
        direction=direction,
        tag=tag,
        from_date=from_date,
        to_date=to_date,
    )
    return Call("GET", "/sms/messages", _of(MessagePage), query=query, position=position)


def all_messages(
    *,
    status: str | None = None,
    direction: str | None = None,
    tag: str | None = None,
    from_date: Moment | None = None,
    to_date: Moment | None = None,
    position: int | None = None,
    page_count: int = PAGE_COUNT_MAX,
) -> Pages[MessageSummary]:
    """All messages that fit, newest first, fetched `page_count` at a time as they are asked for.

    None is skipped or repeated while new messages arrive.
    """
    return Pages(
        lambda cursor: list_messages(
            count=page_count,
            cursor=cursor,
            status=status,
            direction=direction,
            tag=tag,
            from_date=from_date,
            to_date=to_date,
            position=position,
        )
    )


def list_inbound(
    *,
    count: int | None = None,
    offset: int | None = None,
    cursor: str | None = None,
    from_number: str | None = None,
    to_number: str | None = None,
    from_date: Moment | None = None,
    to_date: Moment | None = None,
    position: int | None = None,
) -> Call[InboundPage]:
    """A page of messages that came in, newest first. See `list`."""
    query = _query(
        count=count,
        offset=offset,
        cursor=cursor,
        from_number=from_number,
        to_number=to_number,
        from_date=from_date,
        to_date=to_date,
    )
    return Call("GET", "/sms/inbound", _of(InboundPage), query=query, position=position)


def all_inbound(
    *,
    from_number: str | None = None,
    to_number: str | None = None,
    from_date: Moment | None = None,
    to_date: Moment | None = None,
    position: int | None = None,
    page_count: int = PAGE_COUNT_MAX,
) -> Pages[InboundMessage]:
    """All messages that came in and fit, newest first. See `iter`."""
    return Pages(
        lambda cursor: list_inbound(
            count=page_count,
            cursor=cursor,
            from_number=from_number,
            to_number=to_number,
            from_date=from_date,
            to_date=to_date,
            position=position,
        )
    )


def list_suppressions(
    *, count: int | None = None, offset: int | None = None, cursor: str | None = None
) -> Call[SuppressionPage]:
    """A page of suppressions, newest first."""
    query = _query(count=count, offset=offset, cursor=cursor)
    return Call("GET", "/sms/suppressions", _of(SuppressionPage), query=query)


def all_suppressions(*, page_count: int = PAGE_COUNT_MAX) -> Pages[Suppression]:
    """All suppressions, newest first, fetched `page_count` at a time as they are asked for."""
    return Pages(lambda cursor: list_suppressions(count=page_count, cursor=cursor))


def check_suppression(phone_number: str) -> Call[SuppressionStatus]:
    """Whether something is sent to a number: `suppressed`, and `reason` where it is."""
    return Call("GET", f"/sms/suppressions/{_segment(phone_number)}", _of(SuppressionStatus))


def add_suppression(
    *, phone_number: str, reason: str = "MANUAL", note: str | None = None
) -> Call[Suppression]:
    """Send nothing to this number any more. One that is suppressed already stays as it is."""
    body = _given(phone_number=phone_number, reason=reason, note=note)
    return Call("POST", "/sms/suppressions", _of(Suppression), body=body)


def remove_suppression(phone_number: str) -> Call[None]:
    """Send to this number again."""
    return Call("DELETE", f"/sms/suppressions/{_segment(phone_number)}", _nothing, removes=True)


def suppression_history(phone_number: str) -> Call[SuppressionHistory]:
    """Who or what opted a number out or in, when and by which message."""
    return Call("GET", f"/sms/suppressions/{_segment(phone_number)}/history", _of(SuppressionHistory))


def list_webhooks() -> Call[WebhookList]:
    """All webhooks, newest first."""
    return Call("GET", "/sms/webhooks", _of(WebhookList))


def create_webhook(
    *, url: str, events: Sequence[str], description: str | None = None, active: bool = True
) -> Call[CreatedWebhook]:
    """Register a webhook. Its `secret` is in this answer only: keep it.

    Tried again only where nothing can have been created, as a second attempt would make a second webhook.
    """
    body = _given(url=url, events=list(events), description=description, active=active)
    return Call("POST", "/sms/webhooks", _of(CreatedWebhook), body=body, repeatable=False)


def get_webhook(webhook_id: str) -> Call[Webhook]:
    """A webhook, without its secret. Raises NotFoundError."""
    return Call("GET", f"/sms/webhooks/{_segment(webhook_id)}", _of(Webhook))


def update_webhook(
    webhook_id: str,
    *,
    url: str | Unset = UNSET,
    events: Sequence[str] | Unset = UNSET,
    description: str | Unset | None = UNSET,
    active: bool | Unset = UNSET,
) -> Call[Webhook]:
    """Change what is given; the rest stays. A description of None removes it. Raises NotFoundError."""
    given = {"url": url, "events": events, "description": description, "active": active}
    body = {name: value for name, value in given.items() if value is not UNSET}
    return Call("PATCH", f"/sms/webhooks/{_segment(webhook_id)}", _of(Webhook), body=body)


def delete_webhook(webhook_id: str) -> Call[None]:
    """Forget a webhook. Raises NotFoundError."""
    return Call("DELETE", f"/sms/webhooks/{_segment(webhook_id)}", _nothing, removes=True)


_BATCH_NAMES = {name: wire_name(name) for name in ("template_alias", "template_id", "template_model")}


def _message(
    to: str,
    template_alias: str | None,
    template_id: int | None,
    template_model: Mapping[str, Any] | None,
    tag: str | None,
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return _given(
        to=to,
        template_alias=template_alias,
        template_id=template_id,
        template_model=template_model,
        tag=tag,
        metadata=metadata,
    )


def _given(**values: Any) -> dict[str, Any]:
    return {wire_name(name): value for name, value in values.items() if value is not None}


def _query(**values: Any) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, date) else str(value)
        for name, value in _given(**values).items()
    }


def _key(given: str | None) -> str:
    return uuid.uuid4().hex if given is None else given


def _segment(value: str) -> str:
    """A value as one segment of a path. Raises ValueError where it would lead elsewhere."""
    if value in ("", ".", ".."):
        raise ValueError("an empty id or number, or one of dots, names nothing")
    return quote(value, safe="")


def _of(kind: type[R]) -> Callable[[Any], R]:
    return lambda data: parse(kind, data)


def _results(data: Any) -> list[SendResult]:
    return [parse(SendResult, one) for one in data]


def _nothing(_: Any) -> None:
    return None
