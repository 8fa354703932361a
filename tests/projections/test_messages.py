"""Lists: pages, cursors, limits, and that nobody sees another organization's messages."""

from uuid import UUID

import pytest

from smsledger.domain.status import Direction
from smsledger.projections.messages import InvalidPage, MessageFilter, Page, list_messages
from smsledger.projections.page_cursor import InvalidCursor, PageCursor
from smsledger.projections.projector import Projector

from .store import START, Ledger, catch_up, later, new_id, queued, received

EVERYTHING = MessageFilter()


async def test_before_anything_was_projected_a_list_is_empty(ledger: Ledger) -> None:
    page = await list_messages(ledger.conn, "acme", EVERYTHING)
    assert (page.messages, page.total_count, page.next_cursor, page.position) == ([], 0, None, 0)


async def test_a_list_is_newest_first_and_counts_what_it_does_not_show(
    ledger: Ledger, projector: Projector
) -> None:
    ids = [new_id() for _ in range(5)]
    for number, message_id in enumerate(ids):
        await ledger.append(message_id, queued(later(number)))
    await catch_up(projector)
    page = await list_messages(ledger.conn, "acme", EVERYTHING, Page(count=2, offset=1))
    assert [row.message_id for row in page.messages] == [ids[3], ids[2]]
    assert (page.total_count, page.position) == (5, 5)


async def test_pages_by_cursor_neither_skip_nor_repeat_while_messages_arrive(
    ledger: Ledger, projector: Projector
) -> None:
    first = [new_id() for _ in range(25)]
    for number, message_id in enumerate(first):  # several of the same moment
        await ledger.append(message_id, queued(later(number // 4)))
    seen: list[UUID] = []
    cursor: PageCursor | None = None
    while True:
        await catch_up(projector)
        page = await list_messages(ledger.conn, "acme", EVERYTHING, Page(count=7, cursor=cursor))
        seen += [row.message_id for row in page.messages]
        if page.next_cursor is None:
            break
        cursor = PageCursor.decode(page.next_cursor)
        await ledger.append(new_id(), queued(later(100)))
    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == set(first)


async def test_the_last_page_that_is_full_has_no_next_cursor(ledger: Ledger, projector: Projector) -> None:
    for _ in range(4):
        await ledger.append(new_id(), queued())
    await catch_up(projector)
    page = await list_messages(ledger.conn, "acme", EVERYTHING, Page(count=4))
    assert (len(page.messages), page.next_cursor) == (4, None)


async def test_an_organization_sees_its_own_messages_only(ledger: Ledger, projector: Projector) -> None:
    await ledger.append(new_id(), queued(organization_id="acme"), organization_id="acme")
    await ledger.append(new_id(), received(organization_id="other"), organization_id="other")
    await catch_up(projector)
    page = await list_messages(ledger.conn, "other", EVERYTHING)
    assert [(row.organization_id, row.direction) for row in page.messages] == [("other", Direction.INBOUND)]
    assert page.total_count == 1
    assert (
        await list_messages(ledger.conn, "acme", MessageFilter(direction=Direction.INBOUND))
    ).total_count == 0


@pytest.mark.parametrize(("count", "offset"), [(0, 0), (501, 0), (-1, 0), (1, -1), (1, 10_000_001)])
def test_a_page_beyond_the_limits_is_refused(count: int, offset: int) -> None:
    with pytest.raises(InvalidPage, match="must be between"):
        Page(count=count, offset=offset)


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = PageCursor(later(0.123456), new_id())
    assert PageCursor.decode(cursor.encode()) == cursor


FOREIGN_VERSION = "Ag" + PageCursor(START, UUID(int=1)).encode()[2:]


@pytest.mark.parametrize("text", ["", "AQ", "!" * 34, "_" * 34, "é" * 34, "A" * 400, FOREIGN_VERSION])
def test_a_text_that_is_no_cursor_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidCursor, match="pass the next cursor of the page before"):
        PageCursor.decode(text)
