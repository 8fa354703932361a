"""Reads bodies, query parameters and headers, and says of a wrong one what it is and what would be right."""

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar.datastructures import MultiDict

from smsledger.application.accept import TAG_CHARACTERS_MAX, NumberReader
from smsledger.application.admin.listing import ListPage
from smsledger.domain.errors import LedgerError
from smsledger.domain.ids import parse_message_id
from smsledger.domain.phone_number import InvalidPhoneNumber
from smsledger.domain.status import Direction, Status
from smsledger.projections.message_filter import MessageFilter
from smsledger.projections.messages import Page
from smsledger.projections.page_cursor import InvalidCursor, PageCursor

from .errors import InvalidRequest
from .unreadable import problem_of
from .wire import SendSms

T = TypeVar("T")

BATCH_MAX = 500
POSITION_HEADER = b"ledger-position"
_POSITION = struct.Struct("!Bq")
_POSITION_VERSION = 2

_send_decoder = msgspec.json.Decoder(SendSms)
_batch_decoder = msgspec.json.Decoder(list[SendSms])
_items_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises at bytes that it cannot read: the latter two at text that is not UTF-8 and at deep nesting."""
_PAGE = frozenset({"count", "offset", "cursor"})
_LIST_PARAMETERS = _PAGE | {"status", "direction", "tag", "fromDate", "toDate"}
_INBOUND_PARAMETERS = _PAGE | {"fromNumber", "toNumber", "fromDate", "toDate"}
# A number as messages have it, a short code, or a name; who leaves out + and country code would find nothing.
_PARTY = re.compile(r"\+[1-9][0-9]{1,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


class BatchItemRecipient(msgspec.Struct):
    """Only who a malformed item was meant for, so that its result can be told from others."""

    to: str = ""


_recipient_decoder = msgspec.json.Decoder(BatchItemRecipient)


def decode_send(body: bytes) -> SendSms:
    """The body of a single send. Raises InvalidRequest naming the field."""
    return decode_body(_send_decoder, body)


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Any body. Raises InvalidRequest naming the field."""
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise InvalidRequest(problem=problem_of(error, body, decoder.type)) from None


def refuse_parameters(query: MultiDict[str]) -> None:
    """Raise InvalidRequest where a request that takes no query parameters has one."""
    for name in query:
        raise InvalidRequest(problem=f"{name[:40]}: not a parameter; there are none here")


def decode_batch(body: bytes) -> list[tuple[str, SendSms | LedgerError]]:
    """The items of a batch with their recipients; a malformed item is its own error, not the batch's.

    Raises InvalidRequest where the body is not an array of 1 to 500 items.
    """
    try:
        items: list[SendSms | LedgerError] = list(_batch_decoder.decode(body))
        decoded = [(item.to, item) for item in items if isinstance(item, SendSms)]
    except _UNREADABLE:
        decoded = _decode_apart(body)
    if not 1 <= len(decoded) <= BATCH_MAX:
        raise InvalidRequest(problem=f"expected an array of 1 to {BATCH_MAX} messages, got {len(decoded)}")
    return [(to, item) for to, item in decoded]


def _decode_apart(body: bytes) -> list[Any]:
    raws = decode_body(_items_decoder, body)
    decoded: list[tuple[str, SendSms | LedgerError]] = []
    for raw in raws:
        try:
            item: SendSms | LedgerError = _send_decoder.decode(raw)
            to = item.to if isinstance(item, SendSms) else ""
        except _UNREADABLE as error:
            item, to = InvalidRequest(problem=problem_of(error, raw, SendSms)), _recipient(raw)
        decoded.append((to, item))
    return decoded


def _recipient(raw: msgspec.Raw) -> str:
    try:
        return _recipient_decoder.decode(raw).to
    except _UNREADABLE:
        return ""


def message_id_of(text: str) -> UUID:
    """The message id in a path, also as events name it. Raises InvalidMessageId."""
    return parse_message_id(text)


def wanted_position(headers: Any) -> int | None:
    """The position that a list must have reached, from the request's Ledger-Position header."""
    for name, value in headers:
        if name == POSITION_HEADER:
            text = value.decode("latin-1").strip()
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise InvalidRequest(
                    problem="Ledger-Position: expected a position as an earlier answer gave it"
                )
            return int(text)
    return None


def list_page(query: MultiDict[str]) -> tuple[MessageFilter, Page]:
    """Filter and page from the parameters of a list. Raises InvalidRequest, InvalidPage and InvalidCursor."""
    _check_names(query, _LIST_PARAMETERS)
    wanted = MessageFilter(
        status=_choice(query, "status", Status),
        direction=_choice(query, "direction", Direction),
        tag=_tag(query, "tag"),
        from_date=_moment(query, "fromDate"),
        to_date=_moment(query, "toDate"),
    )
    return wanted, _page(query)


def inbound_page(query: MultiDict[str]) -> tuple[MessageFilter, Page]:
    """The same for the list of inbound messages."""
    _check_names(query, _INBOUND_PARAMETERS)
    wanted = MessageFilter(
        direction=Direction.INBOUND,
        from_number=_party(query, "fromNumber"),
        to_number=_party(query, "toNumber"),
        from_date=_moment(query, "fromDate"),
        to_date=_moment(query, "toDate"),
    )
    return wanted, _page(query)


def suppression_page(query: MultiDict[str]) -> tuple[Page, int | None]:
    """A page of suppressions, and the position that it begins before. Raises as `list_page`."""
    _check_names(query, _PAGE)
    cursor = _cursor(query)
    page = Page(count=_number(query, "count", 100), offset=_number(query, "offset", 0))
    return page, decode_position(cursor) if cursor else None


def encode_position(position: int) -> str:
    """A cursor of a list that is ordered by positions."""
    return urlsafe_b64encode(_POSITION.pack(_POSITION_VERSION, position)).decode()


def decode_position(cursor: str) -> int:
    """The position in a cursor. Raises InvalidCursor."""
    try:
        version, position = _POSITION.unpack(urlsafe_b64decode(cursor))
    except (ValueError, struct.error):
        raise InvalidCursor from None
    if version != _POSITION_VERSION or encode_position(position) != cursor:
        raise InvalidCursor
    return int(position)


def phone_number(numbers: NumberReader, text: str, *, field: str) -> str:
    """The E.164 form of a number in `field`. Raises InvalidRequest."""
    try:
        return numbers.parse(text).e164
    except InvalidPhoneNumber as error:
        raise InvalidRequest(problem=f"{field}: {error}") from None


def _check_names(query: MultiDict[str], known: frozenset[str]) -> None:
    for name in query:
        if name not in known:
            raise InvalidRequest(
                problem=f"{name[:40]}: not a parameter; known are {', '.join(sorted(known))}"
            )
        if len(query.getall(name)) > 1:
            raise InvalidRequest(problem=f"{name}: given more than once")


def _cursor(query: MultiDict[str]) -> str | None:
    cursor = query.get("cursor") or None
    if cursor and query.get("offset"):
        raise InvalidRequest(problem="cursor: give either cursor or offset")
    return cursor


def _page(query: MultiDict[str]) -> Page:
    cursor = _cursor(query)
    return Page(
        count=_number(query, "count", 100),
        offset=_number(query, "offset", 0),
        cursor=PageCursor.decode(cursor) if cursor else None,
    )


def admin_page(query: MultiDict[str], *filters: str) -> ListPage:
    """The page of a list of the administration, which has these filters beside."""
    _check_names(query, _PAGE | set(filters))
    return ListPage(
        count=_number(query, "count", 100), offset=_number(query, "offset", 0), cursor=_cursor(query)
    )


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """A parameter that is true or false."""
    text = query.get(name)
    if text not in (None, "true", "false"):
        raise InvalidRequest(problem=f"{name}: expected true or false, got `{text[:40]}`")
    return None if text is None else text == "true"


def _party(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if text is None:
        return None
    if text[:1] == " " and text[1:].isdigit():  # a plus sign that was not encoded
        text = f"+{text[1:]}"
    if not _PARTY.fullmatch(text):
        raise InvalidRequest(
            problem=f"{name}: expected a phone number in E.164 format such as +14155551234, a short code or a sender "
            f"name, got `{text[:40]}`"
        )
    return text


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidRequest(problem=f"{name}: expected a whole number, got `{text[:40]}`")
    return int(text)


def _tag(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if text is not None and not 0 < len(text) <= TAG_CHARACTERS_MAX:
        raise InvalidRequest(problem=f"{name}: expected 1 to {TAG_CHARACTERS_MAX} characters")
    if text is not None and "\x00" in text:
        raise InvalidRequest(problem=f"{name}: the character U+0000 cannot occur")
    return text


def _choice(query: Mapping[str, str], name: str, choices: type[T]) -> T | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return msgspec.convert(text, choices)
    except msgspec.ValidationError:
        known = ", ".join(choices.__members__)  # type: ignore[attr-defined]  # the choices are enums
        raise InvalidRequest(problem=f"{name}: expected one of {known}, got `{text[:40]}`") from None


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    """An ISO 8601 date or date and time; without a zone it is UTC."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that was not encoded
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            problem=f"{name}: expected an ISO 8601 date such as 2024-01-31 or 2024-01-31T12:00:00Z, got `{text[:40]}`"
        ) from None
