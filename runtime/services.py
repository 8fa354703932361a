"""The composition root: joins adapters, use cases and surfaces from the settings, for the API and for each role.

The one place where connections are made. It holds no logic of its own.
"""

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

import phonenumbers
import psycopg
import structlog
import uuid_utils.compat
from nats.aio.client import Client
from psycopg import AsyncConnection

from smsledger.adapters.carriers.simulator.client import SimulatorCarrier
from smsledger.adapters.nats.connection import NatsClosed, connect_nats
from smsledger.adapters.nats.queue import JetStreamQueue, QueueOptions
from smsledger.adapters.nats.stream import JetStreamStream, StreamOptions
from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.appender import AppendLimits, GroupCommitAppender
from smsledger.adapters.postgres.bounded_pool import BoundedPool
from smsledger.adapters.postgres.cursors import PostgresCursors
from smsledger.adapters.postgres.directory import PostgresDirectory
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.keep_alive import keep_alive
from smsledger.adapters.postgres.key_uses import PostgresKeyUses
from smsledger.adapters.postgres.leadership import Seat
from smsledger.adapters.postgres.loop_reports import PostgresLoopReports
from smsledger.adapters.postgres.migrate import require_current
from smsledger.adapters.postgres.parked_inbound import PostgresParkedInbound
from smsledger.adapters.postgres.parked_receipts import PostgresParkedReceipts
from smsledger.adapters.postgres.rate_windows import PostgresRateWindows, forget_windows
from smsledger.adapters.postgres.sender_owners import PostgresSenderOwners
from smsledger.adapters.postgres.status import read_status
from smsledger.adapters.postgres.suppressions import PostgresSuppressions
from smsledger.adapters.postgres.used_keys import PostgresUsedKeys
from smsledger.adapters.postgres.webhook_endpoints import PostgresWebhookEndpoints
from smsledger.application.accept import Accept
from smsledger.application.clock import system_clock
from smsledger.application.consent import ConsentBook
from smsledger.application.dispatch import Dispatcher, DispatchLimits
from smsledger.application.idempotency import RepeatableRequests
from smsledger.application.inbound import InboundIntake
from smsledger.application.ledger import MessageLedger
from smsledger.application.preview import Preview
from smsledger.application.publish import Publisher
from smsledger.application.rate_limits import RateLimiter
from smsledger.application.receipts import ReceiptIntake
from smsledger.application.watch import Watchdog
from smsledger.application.webhooks import Webhooks
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.message import carrier_reference
from smsledger.http.services import Services
from smsledger.projections.conversations import ConversationQueries
from smsledger.projections.open_messages import OpenMessageQueries
from smsledger.projections.position_watch import PositionWatch
from smsledger.projections.projector import Projector

from .administration import open_administration
from .loops import SupervisedLoop
from .settings import Settings

log = structlog.get_logger(__name__)

Pool: TypeAlias = BoundedPool

# Every statement of the service has an index. A plan that was made while a table was small, and is kept with the
# prepared statement, must not be a pass over the table when it is large. (JIT would take such plans for dear ones.)
_PLAN_FOR_GROWTH = "SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)"
_END_IDLE_TRANSACTIONS = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"
CLOSED_LOOK_S = 1.0
POOL_CHECK_S = 1.0
"""How often idle connections are looked at."""
BACKGROUND_PAUSE_S = 1.0
"""Pause before background work that failed starts again."""
POOL_RECONNECT_S = 5.0
"""How long a pool tries to replace a lost connection by itself; later, whoever needs one makes it try again."""
GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Python's own (700, 10, 10) look at everything under way many times a second; what is made here is freed by reference
counts, and cycles are few."""
WINDOWS_IDLE_S, FORGET_S = 60.0, 30.0
"""Rate windows that nobody asked for in so long are forgotten, and how often that is looked for."""
DRAIN_S = 10.0
"""How long a stopping dispatcher lets calls to carriers finish."""
PROJECT_REST_S = 0.02
"""The projector lets events gather for so long: several events of a message then end in one write of its row."""
DIRECTORY_CONNECTIONS = 2
"""Of an API process: one to look for changes, one to read keys and organizations."""
COMMON_CALLING_CODES = (1, 31, 33, 34, 39, 44, 49, 52, 55, 61, 65, 81, 91)
"""Numbering plans compiled before the first request, so that no request waits for them."""


@asynccontextmanager
async def open_api_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything the API needs, for as long as the application runs."""
    require_current(settings.postgres_url)
    async with AsyncExitStack() as stack:
        pool = await _pool(stack, settings, "api")
        appender = await _appender(stack, settings)
        reader = PostgresEventReader(pool, LEDGER_EVENTS)
        # Apart from the reads: however slow these are, a key that is revoked ends within a second.
        directory = PostgresDirectory(await _pool(stack, settings, "directory", DIRECTORY_CONNECTIONS))
        await directory.refresh()
        await _background(stack, directory.follow, "directory")
        key_uses = PostgresKeyUses(pool)
        stack.push_async_callback(key_uses.flush)
        await _background(stack, key_uses.follow, "key-uses")
        watch = PositionWatch(pool.connection)
        stack.push_async_callback(watch.close)
        rates = await _rates(stack, settings, pool)
        phonenumbers.enable_pattern_cache()  # refusals go through the package, which else compiles every time
        numbers = E164Numbers()
        numbers.warm(COMMON_CALLING_CODES)

        async def status() -> Any:
            async with pool.connection() as conn:
                return await read_status(conn)

        consents = ConsentBook(reader, appender, system_clock)
        settle_garbage()
        yield Services(
            directory=directory,
            accept=Accept(appender, numbers, uuid_utils.compat.uuid7, system_clock),
            repeatable=RepeatableRequests(PostgresUsedKeys(pool)),
            preview=Preview(consents, numbers),
            consents=consents,
            suppressions=PostgresSuppressions(pool),
            numbers=numbers,
            reader=reader,
            read_connection=pool.connection,
            watch=watch,
            status=status,
            position_wait_s_max=settings.position_wait_s_max,
            clock=system_clock,
            rates=rates,
            key_uses=key_uses,
            administration=open_administration(pool.connection, numbers),
            webhooks=Webhooks(
                PostgresWebhookEndpoints(pool),
                uuid_utils.compat.uuid7,
                secrets.token_bytes,
                system_clock,
                allow_http=settings.webhook_allow_http,
            ),
        )


async def run_worker(settings: Settings, roles: Sequence[str]) -> None:
    """Run the loops of `roles` in this process until cancelled. Raises NatsClosed."""
    require_current(settings.postgres_url)
    async with AsyncExitStack() as stack:
        pool = await _pool(stack, settings, "worker")
        loops: list[SupervisedLoop] = []
        clients: list[Client] = []
        if "publisher" in roles:
            clients.append(await _nats(stack, settings, "publisher"))
            loops.append(_publisher(clients[-1], settings, pool))
        if "projector" in roles:
            loops.append(_projector(stack, settings, pool))
        if "dispatcher" in roles:
            clients.append(await _nats(stack, settings, "dispatcher"))
            loops += await _dispatcher(stack, clients[-1], settings, pool)
        settle_garbage()
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop.run(), name=loop.state.role)
                group.create_task(_end_with(clients), name="nats-connections")
        except BaseExceptionGroup as errors:
            if errors.subgroup(NatsClosed):
                raise NatsClosed from None
            raise


async def _end_with(clients: Sequence[Client]) -> None:
    """Raise NatsClosed once a client has given up, which none does by itself: then only a new process helps.

    The client library closes for good on any error line of the server but a few, such as one about credentials.
    """
    while not any(client.is_closed for client in clients):  # noqa: ASYNC110  # it has no such event
        await asyncio.sleep(CLOSED_LOOK_S)
    raise NatsClosed


def settle_garbage() -> None:
    """Leave what was made at the start, modules and tables, out of every later collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _publisher(client: Client, settings: Settings, pool: Pool) -> SupervisedLoop:
    publisher = Publisher(
        PostgresEventReader(pool, LEDGER_EVENTS),
        JetStreamStream(client, _stream_options(settings)),
        PostgresCursors(pool),
        batch_events=settings.publish_batch_events,
    )
    return _loop(publisher, settings, pool, exclusive=True)


def _projector(stack: AsyncExitStack, settings: Settings, pool: Pool) -> SupervisedLoop:
    projector = Projector(
        lambda: _connect(settings, "projector"), batch_events_max=settings.project_batch_events
    )
    stack.push_async_callback(projector.close)
    return _loop(projector, settings, pool, exclusive=True, rest_s=PROJECT_REST_S)


async def _dispatcher(
    stack: AsyncExitStack, client: Client, settings: Settings, pool: Pool
) -> list[SupervisedLoop]:
    reader = PostgresEventReader(pool, LEDGER_EVENTS)
    appender = await _appender(stack, settings)
    ledger = MessageLedger(reader, appender)
    receipts = ReceiptIntake(ledger, reader, PostgresParkedReceipts(pool), system_clock)
    inbound = await _inbound(stack, pool, ledger, reader, appender)
    carrier = SimulatorCarrier(settings.simulator_url)
    queue = JetStreamQueue(
        client, _stream_options(settings), QueueOptions(ack_wait_s=settings.dispatch_ack_wait_s)
    )
    stack.push_async_callback(queue.close)
    limits = DispatchLimits(
        in_flight_max=settings.dispatch_in_flight_max,
        attempts_max=settings.dispatch_attempts_max,
        ack_wait_s=settings.dispatch_ack_wait_s,
    )
    dispatcher = Dispatcher(queue, ledger, receipts, lambda _: carrier, LEDGER_EVENTS, system_clock, limits)
    watchdog = Watchdog(
        OpenMessageQueries(pool.connection),
        ledger,
        dispatcher,
        system_clock,
        stuck_s=settings.dispatch_ack_wait_s * 4,
        receipt_wait_s=settings.receipt_wait_s,
    )
    await _background(stack, lambda: carrier.run(receipts.take, inbound.take), "carrier")
    await _background(stack, dispatcher.hold, "hold")
    stack.push_async_callback(dispatcher.drain, DRAIN_S)
    dispatching = _loop(dispatcher, settings, pool, exclusive=False, wait_for_events=False)
    dispatcher.on_error = dispatching.state.failed
    return [
        dispatching,
        _loop(receipts, settings, pool, exclusive=True),
        _loop(inbound, settings, pool, exclusive=True),
        _loop(watchdog, settings, pool, exclusive=True),
        _loop(PostgresUsedKeys(pool), settings, pool, exclusive=True),
    ]


async def _inbound(
    stack: AsyncExitStack,
    pool: Pool,
    ledger: MessageLedger,
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
) -> InboundIntake:
    directory = PostgresDirectory(pool)
    await directory.refresh()
    await _background(stack, directory.follow, "directory")
    watch = PositionWatch(pool.connection)
    stack.push_async_callback(watch.close)
    return InboundIntake(
        ledger,
        reader,
        appender,
        directory,
        PostgresSenderOwners(pool),
        ConversationQueries(pool.connection, watch),
        PostgresParkedInbound(pool),
        E164Numbers(),
        system_clock,
    )


def _loop(
    role: Any,
    settings: Settings,
    pool: Pool,
    *,
    exclusive: bool,
    wait_for_events: bool = True,
    rest_s: float = 0.0,
) -> SupervisedLoop:
    seat = Seat(
        keep_alive(settings.postgres_url),
        role.role,
        exclusive=exclusive,
        listens=wait_for_events,
        lease_s=settings.leader_lease_s,
    )
    return SupervisedLoop(
        role,
        seat,
        PostgresLoopReports(pool),
        poll_s=settings.poll_s,
        wait_for_events=wait_for_events,
        rest_s=rest_s,
    )


async def _connect(settings: Settings, name: str) -> AsyncConnection[Any]:
    conn = await psycopg.AsyncConnection.connect(
        keep_alive(settings.postgres_url),
        autocommit=True,
        application_name=f"smsledger {name}",
        connect_timeout=5,
    )
    await conn.execute(_PLAN_FOR_GROWTH)
    # A process that is paused amid a transaction would keep its locks, and its successor waiting, for ever.
    await conn.execute(_END_IDLE_TRANSACTIONS, [f"{round(settings.leader_lease_s * 1_000)}ms"])
    return conn


async def _configure(conn: AsyncConnection[Any]) -> None:
    await conn.execute(_PLAN_FOR_GROWTH)


async def _pool(
    stack: AsyncExitStack, settings: Settings, name: str, connections_max: int | None = None
) -> Pool:
    pool = BoundedPool(
        keep_alive(settings.postgres_url),
        kwargs={"autocommit": True, "application_name": f"smsledger {name}", "connect_timeout": 5},
        configure=_configure,
        min_size=1,
        max_size=connections_max or settings.read_pool_connections,
        timeout=5.0,
        # Short: the pool doubles its pauses up to this, and a service should not stay away longer than PostgreSQL did.
        reconnect_timeout=POOL_RECONNECT_S,
        open=False,
    )
    await stack.enter_async_context(pool)
    await _background(stack, lambda: _replace_ended(pool), f"{name}-pool")
    return pool


async def _replace_ended(pool: Pool) -> None:
    """Replace idle connections that a restart of PostgreSQL has ended, before a request is given one of them."""
    while True:
        await asyncio.sleep(POOL_CHECK_S)
        await pool.check()


async def _appender(stack: AsyncExitStack, settings: Settings) -> GroupCommitAppender:
    limits = AppendLimits(
        group_events_max=settings.append_group_events_max,
        waiting_events_max=settings.append_waiting_events_max,
        wait_s_max=settings.append_wait_s_max,
    )
    appender = GroupCommitAppender(
        lambda: _connect(settings, "appender"), LEDGER_EVENTS, carrier_reference, limits=limits
    )
    stack.push_async_callback(appender.close)
    return appender


async def _rates(stack: AsyncExitStack, settings: Settings, pool: Pool) -> RateLimiter:
    windows = PostgresRateWindows(lambda: _connect(settings, "rate limits"))
    stack.push_async_callback(windows.close)
    rates = RateLimiter(windows)
    stack.push_async_callback(rates.close)

    async def forget() -> None:
        while True:
            rates.forget()
            async with pool.connection() as conn:
                await forget_windows(conn, idle_s=WINDOWS_IDLE_S)
            await asyncio.sleep(FORGET_S)

    await _background(stack, forget, "rate-limits")
    return rates


def _stream_options(settings: Settings) -> StreamOptions:
    return StreamOptions(
        name=settings.stream_name, replicas=settings.stream_replicas, max_age_s=settings.stream_max_age_s
    )


async def _nats(stack: AsyncExitStack, settings: Settings, name: str) -> Client:
    client = await connect_nats(settings.nats_url, f"smsledger {name}")
    stack.push_async_callback(client.close)
    return client


async def _background(stack: AsyncExitStack, work: Callable[[], Awaitable[None]], name: str) -> None:
    """Keep `work` running beside the loops; what ends it is logged, and it starts again."""

    async def keep_running() -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("background_failed", work=name)
            await asyncio.sleep(BACKGROUND_PAUSE_S)

    task = asyncio.create_task(keep_running(), name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
