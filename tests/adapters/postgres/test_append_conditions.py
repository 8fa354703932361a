"""Conditions of an append on a real server: what they keep from being stored, and what of the same group is stored."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.application.ports import (
    Append,
    Appended,
    ConsentChange,
    Guard,
    KeyUsed,
    Once,
    RecipientsSuppressed,
    VersionConflict,
)
from tests.domain.histories import queued
from tests.faults.tcp_proxy import Fault, TcpProxy

from .test_appender import Look, connecting, gated, make, one, positions, stored, submit

POOL, NUMBER = "POOL", "+18005551234"


def guarded(message_id: UUID, consent_id: UUID, scope: str = POOL) -> Append:
    return Append(message_id, "acme", 1, [queued()], Guard(consent_id.bytes, scope))


def consent(consent_id: UUID, version: int, scope: str, *, suppressed: bool) -> Append:
    """Any event, and what it changes."""
    return Append(
        consent_id,
        "acme",
        version,
        one(consent_id).events,
        consents=[ConsentChange(version, scope, suppressed)],
    )


def suppressions(look: Look) -> list[tuple[Any, ...]]:
    return look.execute(
        "SELECT consent_id, scope, organization_id, version, position FROM suppressions"
    ).fetchall()


def once(key: str = "key", fingerprint: bytes = b"print", answer: bytes = b"answer") -> Once:
    return Once("acme", key, fingerprint, answer)


def keys(look: Look) -> dict[str, tuple[bytes, int]]:
    rows = look.execute("SELECT key, answer, position FROM idempotency_keys").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.parametrize(
    ("scope", "guard", "held"),
    [
        ("ALL", POOL, True),
        ("ALL", NUMBER, True),
        (POOL, POOL, True),
        (POOL, NUMBER, False),
        (NUMBER, NUMBER, True),
        (NUMBER, POOL, False),
    ],
)
async def test_a_guard_holds_for_its_scope(
    appender: GroupCommitAppender, look: Look, scope: str, guard: str, held: bool
) -> None:
    person, message = uuid4(), uuid4()
    await appender.append([consent(person, 1, scope, suppressed=True)])
    assert suppressions(look) == [(person, scope, "acme", 1, 1)]
    if held:
        with pytest.raises(RecipientsSuppressed) as refusal:
            await appender.append([guarded(message, person, guard)])
        assert refusal.value.appends == {0}
        assert stored(look, message) == []
    else:
        assert await appender.append([guarded(message, person, guard)]) == [Appended(2)]


async def test_a_suppressed_recipient_keeps_the_whole_submission_back_and_no_other(
    database: str, look: Look
) -> None:
    person, free = uuid4(), uuid4()
    async with gated(database) as (appender, gate):
        suppressing = asyncio.create_task(appender.append([consent(person, 1, "ALL", suppressed=True)]))
        await asyncio.sleep(0)
        gate.open()
        await suppressing
    async with gated(database) as (appender, gate):
        mixed = [
            guarded(uuid4(), free),
            guarded(uuid4(), person),
            guarded(uuid4(), free),
            guarded(uuid4(), person),
        ]
        tasks = [
            asyncio.create_task(appender.append(submission))
            for submission in ([one(uuid4())], mixed, [guarded(uuid4(), free), one(uuid4())])
        ]
        await asyncio.sleep(0)
        gate.open()
        before, held, after = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(held, RecipientsSuppressed)
    assert held.appends == {1, 3}
    assert (before, after) == ([Appended(4)], [Appended(5), Appended(6)])
    assert positions(look) == [1, 2, 3, 4, 5, 6]


async def test_who_is_suppressed_in_a_group_is_not_sent_to_behind_it_in_the_same_group(
    database: str, look: Look
) -> None:
    person, before, behind, free = uuid4(), uuid4(), uuid4(), uuid4()
    async with gated(database) as (appender, gate):
        tasks = await submit(
            appender,
            [guarded(before, person)],
            [consent(person, 1, "ALL", suppressed=True)],
            [guarded(free, uuid4())],
            [guarded(behind, person)],
        )
        gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[:3] == [[Appended(2)], [Appended(3)], [Appended(4)]]
    assert isinstance(results[3], RecipientsSuppressed)
    assert stored(look, behind) == []


async def test_a_restored_recipient_is_free_again_and_suppressed_anew_under_a_later_version(
    appender: GroupCommitAppender, look: Look
) -> None:
    person = uuid4()
    await appender.append(
        [consent(person, 1, "ALL", suppressed=True), consent(person, 2, POOL, suppressed=True)]
    )
    await appender.append([consent(person, 3, "ALL", suppressed=False)])
    assert suppressions(look) == [(person, POOL, "acme", 2, 2)]
    await appender.append([consent(person, 4, POOL, suppressed=False)])
    assert suppressions(look) == []
    assert await appender.append([guarded(uuid4(), person)]) == [Appended(5)]
    await appender.append([consent(person, 5, POOL, suppressed=True)])
    assert suppressions(look) == [(person, POOL, "acme", 5, 6)]


@pytest.mark.parametrize("version", [1, 3])
async def test_a_consent_that_loses_its_version_changes_nothing_and_neither_does_what_came_with_it(
    appender: GroupCommitAppender, look: Look, version: int
) -> None:
    person, message = uuid4(), uuid4()
    await appender.append([one(person)])
    results = await appender.append([one(message), consent(person, version, "ALL", suppressed=True)])
    assert [type(result) for result in results] == [VersionConflict, VersionConflict]
    assert (suppressions(look), stored(look, message)) == ([], [])
    assert await appender.append([one(message), consent(person, 2, "ALL", suppressed=True)]) == [
        Appended(2),
        Appended(3),
    ]


async def test_of_two_changes_of_a_consent_in_one_group_the_earlier_wins_whole(
    database: str, look: Look
) -> None:
    person, first, second = uuid4(), uuid4(), uuid4()
    async with gated(database) as (appender, gate):
        tasks = [
            asyncio.create_task(appender.append([one(message), consent(person, 1, scope, suppressed=True)]))
            for message, scope in ((first, POOL), (second, NUMBER))
        ]
        await asyncio.sleep(0)
        gate.open()
        won, lost = await asyncio.gather(*tasks)
    assert won == [Appended(2), Appended(3)]
    assert [type(result) for result in lost] == [VersionConflict, VersionConflict]
    assert stored(look, second) == []
    assert suppressions(look) == [(person, POOL, "acme", 1, 3)]
    assert positions(look) == [1, 2, 3]


async def test_several_changes_of_one_consent_in_one_submission_follow_each_other(
    appender: GroupCommitAppender, look: Look
) -> None:
    person = uuid4()
    changes = [ConsentChange(1, "ALL", True), ConsentChange(2, "ALL", False), ConsentChange(2, POOL, True)]
    append = Append(person, "acme", 1, (*one(person).events, *one(person).events), consents=changes)
    assert await appender.append([append]) == [Appended(2)]
    assert suppressions(look) == [(person, POOL, "acme", 2, 2)]


async def test_a_key_is_used_once(appender: GroupCommitAppender, look: Look) -> None:
    assert await appender.append([one(uuid4()), one(uuid4())], once()) == [Appended(1), Appended(2)]
    again = uuid4()
    with pytest.raises(KeyUsed):
        await appender.append([one(again)], once(answer=b"other"))
    assert stored(look, again) == []
    assert keys(look) == {"key": (b"answer", 2)}


async def test_of_two_uses_in_one_group_the_earlier_wins_and_the_rest_is_stored(
    database: str, look: Look
) -> None:
    async with gated(database) as (appender, gate):
        tasks = [
            asyncio.create_task(appender.append([one(uuid4()), one(uuid4())], use))
            for use in (once(answer=b"first"), once(answer=b"second"), once("other"), None)
        ]
        await asyncio.sleep(0)
        gate.open()
        first, second, other, none = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(second, KeyUsed)
    assert (first, other, none) == (
        [Appended(2), Appended(3)],
        [Appended(4), Appended(5)],
        [Appended(6), Appended(7)],
    )
    assert keys(look) == {"key": (b"first", 3), "other": (b"answer", 5)}
    assert positions(look) == list(range(1, 8))


async def test_a_key_knows_the_position_of_its_request_though_others_of_the_group_are_refused(
    database: str, look: Look
) -> None:
    person, taken = uuid4(), uuid4()
    async with gated(database) as (appender, gate):
        tasks = [
            asyncio.create_task(appender.append(appends, use))
            for appends, use in (
                ([one(taken), consent(person, 1, "ALL", suppressed=True)], None),
                ([one(taken)], None),
                ([one(uuid4()), one(uuid4())], once("first")),
                ([one(uuid4()), consent(person, 1, POOL, suppressed=True)], None),
                ([one(uuid4())], once("second")),
            )
        ]
        await asyncio.sleep(0)
        gate.open()
        _, (refused,), first, _, second = await asyncio.gather(*tasks)
    assert isinstance(refused, VersionConflict)
    assert (first, second) == ([Appended(4), Appended(5)], [Appended(6)])
    assert keys(look) == {"first": (b"answer", 5), "second": (b"answer", 6)}
    assert positions(look) == [1, 2, 3, 4, 5, 6]


async def test_a_submission_that_is_held_back_uses_no_key(appender: GroupCommitAppender, look: Look) -> None:
    person = uuid4()
    await appender.append([consent(person, 1, "ALL", suppressed=True)])
    with pytest.raises(RecipientsSuppressed):
        await appender.append([guarded(uuid4(), person)], once())
    assert keys(look) == {}
    assert await appender.append([one(uuid4())], once()) == [Appended(2)]
    assert keys(look) == {"key": (b"answer", 2)}


async def test_a_key_may_be_used_anew_when_its_day_is_over(appender: GroupCommitAppender, look: Look) -> None:
    await appender.append([one(uuid4())], once())
    look.execute("UPDATE idempotency_keys SET stored_at = stored_at - interval '24 hours'")
    assert await appender.append([one(uuid4())], once(answer=b"new")) == [Appended(2)]
    assert keys(look) == {"key": (b"new", 2)}
    with pytest.raises(KeyUsed):
        await appender.append([one(uuid4())], once())


async def test_a_keyed_commit_whose_answer_was_lost_is_reported_as_done_and_not_as_used(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied))
    await appender.append([one(uuid4())])
    first, second = uuid4(), uuid4()
    proxy.strike(first.bytes, Fault.DROP_ANSWER)
    assert await appender.append([one(first), one(second)], once()) == [Appended(2), Appended(3)]
    assert proxy.struck.is_set()
    assert keys(look) == {"key": (b"answer", 3)}
    await appender.close()


async def test_a_guarded_commit_whose_answer_was_lost_stays_done_though_the_recipient_was_suppressed_meanwhile(
    proxied: str, proxy: TcpProxy, look: Look, database: str
) -> None:
    person, message = uuid4(), uuid4()
    behind_proxy, beside = make(connecting(proxied), reconnect_s=0.5), make(connecting(database))
    await behind_proxy.append([one(uuid4())])
    proxy.strike(message.bytes, Fault.DROP_ANSWER)
    sending = asyncio.create_task(behind_proxy.append([guarded(message, person)]))
    await proxy.struck.wait()
    while not stored(look, message):  # noqa: ASYNC110  # committed by a server, which sets no event
        await asyncio.sleep(0)
    await beside.append([consent(person, 1, "ALL", suppressed=True)])
    assert await sending == [Appended(2)]
    assert stored(look, message) == [(1, 2)]
    await behind_proxy.close()
    await beside.close()


async def test_tools_and_the_release_before_append_without_conditions(database: str, look: Look) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        row = conn.execute(
            "SELECT base, refused FROM ledger_append(ARRAY[1], ARRAY[gen_random_uuid()], ARRAY[1::bigint], ARRAY['t'],"
            " ARRAY['acme'], ARRAY[now()], ARRAY[NULL], ARRAY[''::bytea])"
        ).fetchone()
    assert row == (0, None)
    assert positions(look) == [1]
