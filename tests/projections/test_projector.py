"""The projector applies every event exactly once, whatever fails, and keeps aside what it cannot apply."""

import asyncio

import psycopg
import pytest

from smsledger.domain.status import Status
from smsledger.projections.fingerprint import standing
from smsledger.projections.histories import StoredEvent, poison
from smsledger.projections.messages import MessageFilter, MessageRow, list_messages
from smsledger.projections.projector import PARKED_ROLE, Projector, RetryReport
from smsledger.projections.registry import ProjectionOutdated

from .store import (
    START,
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


async def rows(ledger: Ledger) -> list[MessageRow]:
    return (await list_messages(ledger.conn, "acme", MessageFilter())).messages


async def parked(ledger: Ledger) -> list[tuple[int, str]]:
    statement = "SELECT position, error FROM parked_events WHERE role = %s ORDER BY position"
    return await (await ledger.conn.execute(statement, [PARKED_ROLE])).fetchall()


async def test_a_row_says_what_the_events_of_its_message_say(ledger: Ledger, projector: Projector) -> None:
    message_id = new_id()
    await ledger.append(message_id, queued(tag="otp"), sending(later(1)), sent(later(2)), delivered(later(3)))
    assert await projector.step() == 4
    [row] = await rows(ledger)
    assert row.message_id == message_id
    assert row.status is Status.DELIVERED
    assert (row.created_at, row.sent_at, row.delivered_at) == (START, later(2), later(3))
    assert (row.updated_at, row.failed_at, row.tag) == (later(3), None, "otp")
    assert (row.carrier, row.provider_message_id) == ("simulator", "SM9")
    assert (row.version, row.position) == (4, 4)
    assert await projector.step() == 0
    assert await projector.position() == 4


async def test_a_message_goes_on_from_the_stored_events_after_a_restart(
    ledger: Ledger, connect: Connect
) -> None:
    message_id = new_id()
    await ledger.append(message_id, queued(), sending(), sent(later(1)))
    async with Projector(connect) as before:
        await catch_up(before)
    await ledger.append(message_id, undelivered(later(2)))
    async with Projector(connect) as after:
        assert await catch_up(after) == 1
    [row] = await rows(ledger)
    assert (row.status, row.error_code, row.sent_at) == (Status.UNDELIVERED, "30003", later(1))


async def test_two_projectors_at_once_apply_each_event_once(ledger: Ledger, connect: Connect) -> None:
    ids = [new_id() for _ in range(40)]
    for event in (queued(), sending(), sent(), delivered()):
        await ledger.append_all([(message_id, event) for message_id in ids])
    async with Projector(connect, batch_events_max=7) as one, Projector(connect, batch_events_max=5) as other:
        handled = await asyncio.gather(catch_up(one), catch_up(other))
    assert sum(handled) == 160
    page = await list_messages(ledger.conn, "acme", MessageFilter(status=Status.DELIVERED))
    assert (page.total_count, len(page.messages)) == (40, 40)


async def test_an_unknown_event_is_parked_and_the_rest_of_its_message_goes_on(
    ledger: Ledger, projector: Projector
) -> None:
    message_id, other = new_id(), new_id()
    await ledger.append(message_id, queued())
    await ledger.append_bytes(message_id, "message.teleported.v1", b"{}")
    await ledger.append(message_id, delivered())
    await ledger.append(other, queued())
    await catch_up(projector)
    assert {row.message_id: row.status for row in await rows(ledger)} == {
        message_id: Status.DELIVERED,
        other: Status.QUEUED,
    }
    [(position, error)] = await parked(ledger)
    assert position == 2
    assert "message.teleported.v1 is not known to this release" in error


async def test_a_parked_event_is_applied_by_a_retry_once_it_can_be_read(
    ledger: Ledger, projector: Projector
) -> None:
    message_id = new_id()
    await ledger.append(message_id, queued())
    await ledger.append_bytes(message_id, "message.delivered.v9", b"not an event")
    await catch_up(projector)
    assert await projector.retry_parked() == RetryReport(applied=0, still_parked=1)
    await ledger.conn.execute(
        "UPDATE ledger_events SET topic = 'message.delivered.v1', state = %s WHERE originator_version = 2",
        [b'{"at":"2026-03-01T12:00:09Z","carrier":"simulator"}'],
    )
    assert await projector.retry_parked() == RetryReport(applied=1, still_parked=0)
    assert await parked(ledger) == []
    page = await list_messages(ledger.conn, "acme", MessageFilter(status=Status.DELIVERED))
    assert (page.total_count, page.messages[0].delivered_at) == (1, later(9))


async def test_a_message_without_a_readable_beginning_is_parked_as_a_whole_and_can_be_retried(
    ledger: Ledger, projector: Projector
) -> None:
    message_id = new_id()
    await ledger.append_bytes(message_id, "message.queued.v1", b"\xff")
    await catch_up(projector)
    await ledger.append(message_id, sending())
    await ledger.append(message_id, sent())
    await catch_up(projector)
    assert [position for position, _ in await parked(ledger)] == [1, 2, 3]
    beginning = new_id()
    await ledger.append(beginning, queued())
    await ledger.conn.execute(
        "UPDATE ledger_events SET state = (SELECT state FROM ledger_events WHERE originator_id = %s)"
        " WHERE originator_version = 1",
        [beginning],
    )
    assert await projector.retry_parked() == RetryReport(applied=3, still_parked=0)
    assert [row.status for row in await rows(ledger)] == [Status.SENT]


async def test_a_row_that_postgresql_does_not_take_is_parked_and_keeps_no_other_out(
    ledger: Ledger, projector: Projector
) -> None:
    ids = [new_id() for _ in range(3)]
    bodies = ["one", "NUL: \x00", "three"]
    await ledger.append_all([(key, queued(body=body)) for key, body in zip(ids, bodies, strict=True)])
    await ledger.append_all([(key, sending()) for key in ids])
    await catch_up(projector)
    assert {row.message_id for row in await rows(ledger)} == {ids[0], ids[2]}
    assert {row.status for row in await rows(ledger)} == {Status.SENDING}
    assert [position for position, _ in await parked(ledger)] == [2, 5]
    assert await projector.retry_parked() == RetryReport(applied=0, still_parked=2)


async def test_what_is_said_of_a_parked_event_does_not_repeat_the_row(ledger: Ledger) -> None:
    await ledger.conn.execute("CREATE TEMPORARY TABLE one (recipient text PRIMARY KEY)")
    event = StoredEvent(1, new_id(), 1, "message.queued.v1", b"{}")
    with pytest.raises(psycopg.IntegrityError, match="14155550123") as refused:
        await ledger.conn.execute("INSERT INTO one VALUES ('+14155550123'), ('+14155550123')")
    assert "14155550123" not in poison(event, refused.value).error
    assert poison(event, refused.value).error.startswith("UniqueViolation: duplicate key value")


async def test_after_a_lost_connection_the_next_step_goes_on_where_the_last_commit_was(
    ledger: Ledger, connect: Connect
) -> None:
    message_id = new_id()
    await ledger.append(message_id, queued(), sending())
    async with Projector(connect, batch_events_max=1) as projector:
        await projector.step()
        await ledger.conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        with pytest.raises(psycopg.OperationalError):
            await projector.step()
        assert await projector.step() == 1
    assert [row.status for row in await rows(ledger)] == [Status.SENDING]


async def test_a_projector_does_not_write_into_tables_of_another_release(
    ledger: Ledger, projector: Projector
) -> None:
    await ledger.append(new_id(), received())
    await projector.step()
    await ledger.conn.execute("UPDATE projections SET shape = 99")
    with pytest.raises(ProjectionOutdated, match="smsledger projections rebuild messages"):
        await projector.step()


async def test_batches_cut_anywhere_end_in_the_same_rows_and_counts(ledger: Ledger, connect: Connect) -> None:
    ids = [new_id() for _ in range(6)]
    for event in (queued(), sending(), sent(), undelivered(), delivered()):
        await ledger.append_all([(key, event) for key in ids])
    found = set()
    for batch_events_max in (1, 2, 3, 7, 30):
        async with Projector(connect, batch_events_max=batch_events_max) as projector:
            await catch_up(projector)
        stand = await standing(ledger.conn)
        assert stand is not None
        found.add(stand.fingerprint)
        await ledger.conn.execute(
            "TRUNCATE messages_1, message_counts_1, message_hour_counts_1, message_tag_counts_1"
        )
        await ledger.conn.execute("UPDATE projections SET position = 0")
    assert len(found) == 1
