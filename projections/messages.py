"""The lists of messages: pages and exact totals, newest first, always of one organization.

It reads the live generation of the tables in `message_table.py` and `counts.py` in one statement, so that page and
total are of the same moment. It writes nothing.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.sql import SQL, Composed, Literal

from smsledger.domain.errors import LedgerError
from smsledger.domain.status import Direction, Status

from .message_filter import MessageFilter, branches, conjunction, parameters, total
from .message_table import COLUMNS, TABLES
from .page_cursor import PageCursor
from .registry import Connection, read_live

__all__ = ["InvalidPage", "MessageFilter", "MessagePage", "MessageRow", "Page", "list_messages"]

PAGE_COUNT_MAX = 500
PAGE_OFFSET_MAX = 10_000_000

_LIST = SQL("SELECT total.total_count, listed.* FROM ({total}) total LEFT JOIN ({page}) listed ON true")
_ORDER = SQL("page.created_at DESC, page.message_id DESC")
_PAGE = SQL(
    "SELECT * FROM ({branches}) found ORDER BY created_at DESC, message_id DESC LIMIT %(limit)b OFFSET %(offset)b"
)
# Each branch ends by itself: the planner does not merge two ordered branches without reading them whole.
_BRANCH = SQL("""
(SELECT {columns} FROM messages_{generation} WHERE {conditions}
ORDER BY created_at DESC, message_id DESC LIMIT %(reach)b)
""")
_COLUMNS = SQL(COLUMNS)
_AFTER_KEY = SQL("(created_at, message_id) < (%(key_created_at)b, %(key_message_id)b)")
_UNION_ALL = SQL(" UNION ALL ")


class InvalidPage(LedgerError):
    """A page was asked for that lists do not give."""

    message = "{field} must be between {least} and {most}, not {value}"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: `count` rows after `offset` rows, after the row that `cursor` names or from the newest.

    Raises InvalidPage.
    """

    count: int = 100
    offset: int = 0
    cursor: PageCursor | None = None

    def __post_init__(self) -> None:
        """Check the limits."""
        if not 1 <= self.count <= PAGE_COUNT_MAX:
            raise InvalidPage(field="count", least=1, most=PAGE_COUNT_MAX, value=self.count)
        if not 0 <= self.offset <= PAGE_OFFSET_MAX:
            raise InvalidPage(field="offset", least=0, most=PAGE_OFFSET_MAX, value=self.offset)


class MessageRow(msgspec.Struct, frozen=True):
    """A message in a list. Times are UTC; fields as in `domain.message.Message`."""

    message_id: UUID
    organization_id: str
    direction: Direction
    status: Status
    sender: str
    recipient: str
    body: str
    segments: int
    country: str
    tag: str | None
    carrier: str | None
    provider_message_id: str | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None
    updated_at: datetime
    version: int
    position: int


class MessagePage(msgspec.Struct, frozen=True):
    """A part of a list; `total_count` is exact for the whole of it, `position` is what all of it reflects."""

    messages: list[MessageRow]
    total_count: int
    next_cursor: str | None
    """Where the next page starts; None: there is nothing more."""
    position: int


async def list_messages(
    conn: Connection, organization_id: str, wanted: MessageFilter, page: Page | None = None
) -> MessagePage:
    """The organization's messages that fit `wanted`, newest first (seed: List SMS Messages, List Inbound Messages)."""
    page = page or Page()
    values = parameters(wanted, organization_id)
    limit = page.count + 1  # one more tells whether there is a next page
    values |= {"limit": limit, "offset": page.offset, "reach": page.offset + limit}
    if page.cursor is not None:
        values |= {"key_created_at": page.cursor.created_at, "key_message_id": page.cursor.message_id}

    def query(generation: int) -> Composed:
        number = Literal(generation)
        return _LIST.format(total=total(wanted, number), page=_page(wanted, page, number))

    position, rows = await read_live(conn, TABLES.name, query, _ORDER, values)
    found = [_message(row[1:]) for row in rows if row[1] is not None]
    shown = found[: page.count]
    next_cursor = (
        PageCursor(shown[-1].created_at, shown[-1].message_id).encode() if len(found) > page.count else None
    )
    return MessagePage(shown, rows[0][0] if rows else 0, next_cursor, position)


def _page(wanted: MessageFilter, page: Page, generation: Literal) -> Composed:
    after = [_AFTER_KEY] if page.cursor is not None else []
    parts = [
        _BRANCH.format(columns=_COLUMNS, generation=generation, conditions=conjunction([*conditions, *after]))
        for conditions in branches(wanted)
    ]
    return _PAGE.format(branches=_UNION_ALL.join(parts))


def _message(values: tuple[Any, ...]) -> MessageRow:
    message_id, organization_id, direction, status, *rest = values
    return MessageRow(message_id, organization_id, Direction(direction), Status(status), *rest)
