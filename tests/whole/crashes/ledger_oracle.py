"""What has to hold after any crash, checked from outside: ledger, stream, carrier and read model, event by event.

It reads the stores themselves; the service's own opinion is asked for only where the opinion is what is checked.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import nats
import psycopg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from psycopg import AsyncConnection

from smsledger.adapters.carriers.simulator.client import SimulatorCarrier
from smsledger.adapters.nats.stream import MESSAGE_ID
from smsledger.adapters.postgres.status import read_status
from smsledger.application import cloud_events
from smsledger.domain.event import Stored
from smsledger.domain.ids import parse_message_id
from smsledger.domain.message import MESSAGE_EVENTS, Message, Queued, fold
from smsledger.domain.status import FINAL, Status
from smsledger.projections.fingerprint import standing
from smsledger.projections.rebuild import rebuild

from .client_load import Requests
from .mortal_service import MortalService
from .scripted_numbers import SCRIPTED
from .waiting import until

STREAM = "SMSLEDGER"
SETTLE_S_MAX = 90.0
FETCH = 500

_EVENTS = """
SELECT notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state
FROM ledger_events ORDER BY notification_id
"""
_OPEN = """
SELECT count(*) FROM (
    SELECT DISTINCT ON (originator_id) topic FROM ledger_events ORDER BY originator_id, originator_version DESC
) last WHERE topic IN ('message.queued.v1', 'message.sending.v1', 'message.deferred.v1', 'message.sent.v1')
"""


class Ledger:
    """The event store's content, read once."""

    def __init__(self, events: list[Stored]) -> None:
        self.events = events
        self.messages: dict[UUID, Message] = {}
        self.requests: dict[UUID, str] = {}
        histories: dict[UUID, list[Any]] = defaultdict(list)
        for place, event in enumerate(events, 1):
            assert event.position == place, (
                f"position {event.position} at place {place}: positions have a gap"
            )
            history = histories[event.aggregate_id]
            assert event.version == len(history) + 1, (
                f"{event.aggregate_id}: version {event.version} is out of order"
            )
            history.append(MESSAGE_EVENTS.decode(event.topic, event.state))
        for message_id, history in histories.items():
            message = fold(message_id, history)
            assert message is not None
            self.messages[message_id] = message
            if isinstance(history[0], Queued) and "request" in history[0].metadata:
                self.requests[message_id] = history[0].metadata["request"]


async def settle(service: MortalService, *, deadline_s: float = SETTLE_S_MAX) -> None:
    """Until every message has a final status and every follower has seen every event."""
    last = "nothing seen"

    async def settled() -> bool:
        nonlocal last
        try:
            async with connect_to_ledger(service) as conn:
                status = await read_status(conn)
                lags = {follower.name: follower.lag_events for follower in status.followers}
                if any(lags.values()):
                    last = f"lags {lags}"
                    return False
                row = await (await conn.execute(_OPEN)).fetchone()
                assert row is not None
                last = f"{row[0]} messages are not final, {status.parked_receipts} receipts parked"
                return bool(row[0] == 0)
        except psycopg.OperationalError as error:
            last = str(error)
            return False

    try:
        await until(settled, "every message is final, and known to every follower", deadline_s=deadline_s)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}\n{service.log_text()}") from None


async def everything_holds(service: MortalService, requests: Requests) -> Ledger:
    """Settle, then check every promise; the ledger for more checks."""
    started = time.monotonic()
    await settle(service)
    print(f"settled in {time.monotonic() - started:.1f} s")  # noqa: T201  # shown with a failure
    assert not requests.wrong, requests.wrong[:5]
    async with connect_to_ledger(service) as conn:
        ledger = Ledger([Stored(*row) for row in await (await conn.execute(_EVENTS, binary=True)).fetchall()])
        _answered_once(ledger, requests)
        _all_final(ledger)
        await _on_the_air_once(service, ledger)
        await _stream_equals(service, ledger.events)
        await _read_model_equals(service, conn, ledger)
    print(f"checked {len(ledger.events)} events after {time.monotonic() - started:.1f} s")  # noqa: T201  # the same
    return ledger


def _answered_once(ledger: Ledger, requests: Requests) -> None:
    by_request: dict[str, list[UUID]] = defaultdict(list)
    for message_id, value in ledger.requests.items():
        by_request[value].append(message_id)
    for value, answered in requests.answered.items():
        stored = by_request.get(value)
        assert stored == [parse_message_id(answered)], f"{value} was answered {answered}, stored are {stored}"
    doubled = {value: stored for value, stored in by_request.items() if len(stored) > 1}
    assert not doubled, f"requests that were stored more than once: {doubled}"
    assert set(by_request) <= requests.asked


def _all_final(ledger: Ledger) -> None:
    for message in ledger.messages.values():
        expected = SCRIPTED.get(message.recipient, (Status.DELIVERED, None))
        assert (message.status, message.error_code) == expected, f"{message} should have ended {expected}"
    open_ones = [message for message in ledger.messages.values() if message.status not in FINAL]
    assert not open_ones, f"{len(open_ones)} messages never ended, such as {open_ones[0]}"


async def _on_the_air_once(service: MortalService, ledger: Ledger) -> None:
    """What a handset would have seen, by the carrier's own journal."""
    carrier = SimulatorCarrier(service.ready.simulator_url, account="oracle")
    task = asyncio.create_task(carrier.run(_take_nothing, _take_nothing))
    try:
        async with asyncio.timeout(20):
            await carrier.connected()
        ids = list(ledger.messages)
        counts = dict(zip(ids, await carrier.sent_counts(ids), strict=True))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    wrong = {
        f"{message_id}": (count, ledger.messages[message_id].status)
        for message_id, count in counts.items()
        if count != (1 if ledger.messages[message_id].provider_message_id else 0)
    }
    assert not wrong, (
        f"{len(wrong)} messages were not put on the air as the ledger says: {list(wrong.items())[:5]}"
    )


async def _take_nothing(_: object) -> None:
    return


async def _stream_equals(service: MortalService, events: list[Stored]) -> None:
    """Every event once, in position order, byte by byte."""
    found = await read_stream(service)
    positions = [position for position, _ in found]
    times = Counter(positions)
    missing = [event.position for event in events if event.position not in times]
    assert not missing, f"{len(missing)} events are not in the stream, from position {missing[0]} on"
    doubled = [position for position, count in times.items() if count > 1]
    assert not doubled, f"{len(doubled)} events are in the stream more than once, such as {doubled[:5]}"
    assert positions == sorted(positions), "the stream is not in position order"
    assert len(positions) == len(events), "the stream has events that the ledger has not"
    for event, (position, payload) in zip(events, found, strict=True):
        assert payload == cloud_events.encode(event), f"the event at {position} differs from what is stored"


async def read_stream(service: MortalService) -> list[tuple[int, bytes]]:
    """The whole stream: positions and payloads in the stream's order."""
    client = await nats.connect(service.ready.nats_url, allow_reconnect=False)
    try:
        js = client.jetstream(timeout=10)
        wanted = (await js.stream_info(STREAM)).state.messages
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE, inactive_threshold=30
        )
        subscription = await js.pull_subscribe("", stream=STREAM, config=config)
        found: list[tuple[int, bytes]] = []
        while len(found) < wanted:
            messages = await subscription.fetch(min(FETCH, wanted - len(found)), timeout=10)
            found += [(int((message.headers or {})[MESSAGE_ID]), message.data) for message in messages]
        await subscription.unsubscribe()
        return found
    finally:
        await client.close()


async def _read_model_equals(service: MortalService, conn: AsyncConnection[Any], ledger: Ledger) -> None:
    before = await standing(conn)
    assert before is not None
    assert before.fingerprint.messages == len(ledger.messages)
    await rebuild(lambda: _connect(service), "messages")
    after = await standing(conn)
    assert after is not None
    assert after.generation > before.generation
    assert after.fingerprint == before.fingerprint, "the rebuilt read model differs from the live one"
    by_status = Counter(message.status for message in ledger.messages.values())
    assert await _total(service) == len(ledger.messages)
    for status, count in by_status.items():
        assert await _total(service, status) == count, f"the list's total of {status}"


async def _total(service: MortalService, status: Status | None = None) -> int:
    parameters = {"count": "1", "offset": "0"} | ({"status": status} if status else {})
    headers = {"Authorization": f"Bearer {service.server_key}"}
    async with httpx.AsyncClient(base_url=service.ready.url, headers=headers) as http:
        answer = await http.get("/v1/sms/messages", params=parameters)
    assert answer.status_code == httpx.codes.OK, answer.text
    return int(answer.json()["totalCount"])


async def _connect(service: MortalService) -> AsyncConnection[Any]:
    return await AsyncConnection.connect(service.ready.postgres_url, autocommit=True, connect_timeout=5)


@asynccontextmanager
async def connect_to_ledger(service: MortalService) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection to the service's PostgreSQL."""
    async with await _connect(service) as conn:
        yield conn
