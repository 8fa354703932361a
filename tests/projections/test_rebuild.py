"""A rebuild ends in what the projector would have made, while the service runs, and survives being killed."""

import asyncio

import pytest
from psycopg import AsyncConnection

from smsledger.domain.status import Status
from smsledger.projections import rebuild as rebuilding
from smsledger.projections.fingerprint import standing
from smsledger.projections.messages import MessageFilter, list_messages
from smsledger.projections.projector import PARKED_ROLE, Projector
from smsledger.projections.rebuild import RebuildRunning, UnknownProjection, rebuild

from .store import (
    Connect,
    Ledger,
    catch_up,
    delivered,
    later,
    new_id,
    queued,
    received,
    sending,
    sent,
    undelivered,
)


async def fill(ledger: Ledger, messages: int) -> None:
    ids = [new_id() for _ in range(messages)]
    for start in range(0, messages, 10):
        for event in (queued(later(start), tag="otp"), sending(), sent(), delivered(later(start + 1))):
            await ledger.append_all([(key, event) for key in ids[start : start + 10]])
    await ledger.append(new_id(), received())
    await ledger.append(new_id(), queued(), undelivered())


async def tables(conn: AsyncConnection[tuple[str, ...]]) -> list[str]:
    statement = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^message.*_[0-9]+$' ORDER BY 1"
    )
    return [name for (name,) in await (await conn.execute(statement)).fetchall()]


async def test_a_rebuild_makes_what_the_projector_made_and_drops_the_old_tables(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    await fill(ledger, 50)
    await catch_up(projector)
    before = await standing(ledger.conn)
    heard: list[tuple[int, int]] = []
    report = await rebuild(connect, "messages", progress=lambda done, total: heard.append((done, total)))
    after = await standing(ledger.conn)
    assert before is not None
    assert after is not None
    assert (after.position, after.fingerprint) == (before.position, before.fingerprint)
    assert (report.generation, report.events, report.messages) == (2, 203, 52)
    assert heard[-1] == (203, 203)
    assert await tables(ledger.conn) == [
        "message_counts_2",
        "message_hour_counts_2",
        "message_tag_counts_2",
        "messages_2",
    ]


@pytest.mark.parametrize("page_events", [1, 3, 7, 201])
async def test_pages_may_cut_messages_anywhere(
    ledger: Ledger, projector: Projector, connect: Connect, monkeypatch: pytest.MonkeyPatch, page_events: int
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE_EVENTS", page_events)
    await fill(ledger, 20)
    await catch_up(projector)
    before = await standing(ledger.conn)
    await rebuild(connect, "messages")
    after = await standing(ledger.conn)
    assert before is not None
    assert after is not None
    assert after.fingerprint == before.fingerprint


async def test_the_projector_goes_on_with_the_new_generation(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    message_id = new_id()
    await ledger.append(message_id, queued(), sending())
    await catch_up(projector)
    await rebuild(connect, "messages")
    await ledger.append(message_id, delivered())
    assert await catch_up(projector) == 1
    page = await list_messages(ledger.conn, "acme", MessageFilter(status=Status.DELIVERED))
    assert (page.total_count, page.position) == (1, 3)


async def test_a_rebuild_before_the_projector_ever_ran_fills_the_lists(
    ledger: Ledger, connect: Connect
) -> None:
    await fill(ledger, 3)
    await rebuild(connect, "counts")
    assert (await list_messages(ledger.conn, "acme", MessageFilter())).total_count == 5


async def test_nothing_is_lost_doubled_or_hidden_while_a_rebuild_switches_under_load(
    ledger: Ledger, projector: Projector, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE_EVENTS", 201)  # many pages, messages cut between them
    monkeypatch.setattr(rebuilding, "SWITCH_EVENTS_MAX", 50)
    await fill(ledger, 60)
    await catch_up(projector)
    done = asyncio.Event()

    async def append() -> None:
        while not done.is_set():
            await ledger.append(new_id(), queued(), sending(), sent())

    async def project() -> None:
        while not done.is_set():
            await projector.step()

    async def read() -> None:
        total = position = 0
        async with await connect() as conn:
            while not done.is_set():
                page = await list_messages(conn, "acme", MessageFilter())
                assert page.total_count >= total
                assert page.position >= position
                total, position = page.total_count, page.position

    async with asyncio.TaskGroup() as group:
        for task in (append, project, read, read):
            group.create_task(task())
        try:
            for generation in (2, 3, 4):
                assert (await rebuild(connect, "messages")).generation == generation
        finally:
            done.set()
    await catch_up(projector)
    fed = await standing(ledger.conn)
    await rebuild(connect, "messages")
    rebuilt = await standing(ledger.conn)
    assert fed is not None
    assert rebuilt is not None
    assert (rebuilt.position, rebuilt.fingerprint) == (fed.position, fed.fingerprint)


async def test_a_rebuild_that_was_killed_leaves_nothing_after_the_next(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    await fill(ledger, 5)
    await catch_up(projector)
    before = await standing(ledger.conn)

    class Killed(BaseException):
        pass

    def kill(_done: int, _total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await rebuild(connect, "messages", progress=kill)
    assert await standing(ledger.conn) == before
    assert "messages_2" in await tables(ledger.conn)
    await rebuild(connect, "messages")
    assert len(await tables(ledger.conn)) == 4
    after = await standing(ledger.conn)
    assert before is not None
    assert after is not None
    assert after.fingerprint == before.fingerprint


async def test_two_rebuilds_at_once_are_refused(ledger: Ledger, connect: Connect) -> None:
    await fill(ledger, 2)
    async with await connect() as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended('smsledger.rebuild.messages', 0))")
        with pytest.raises(RebuildRunning):
            await rebuild(connect, "counts")


async def test_an_unknown_name_is_refused_with_the_names_there_are(connect: Connect) -> None:
    with pytest.raises(UnknownProjection, match="messages, counts"):
        await rebuild(connect, "message")


async def test_a_rebuild_parks_what_it_cannot_apply_and_releases_what_it_can(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    readable, unreadable, unstorable = new_id(), new_id(), new_id()
    await ledger.append(readable, queued())
    await ledger.append_bytes(readable, "message.delivered.v9", b"")
    await ledger.append(unreadable, queued())
    await ledger.append_bytes(unreadable, "message.teleported.v1", b"")
    await ledger.append(unstorable, queued(body="\x00"))
    await catch_up(projector)
    await ledger.conn.execute(
        "UPDATE ledger_events SET topic = 'message.delivered.v1', state = %s WHERE notification_id = 2",
        [b'{"at":"2026-03-01T12:00:09Z","carrier":"simulator"}'],
    )
    await rebuild(connect, "messages")
    cursor = await ledger.conn.execute("SELECT role, position FROM parked_events ORDER BY position")
    assert await cursor.fetchall() == [(PARKED_ROLE, 4), (PARKED_ROLE, 5)]
    page = await list_messages(ledger.conn, "acme", MessageFilter())
    assert {row.message_id: row.status for row in page.messages} == {
        readable: Status.DELIVERED,
        unreadable: Status.QUEUED,
    }
    assert page.total_count == 2
