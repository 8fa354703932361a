"""The dispatchers' queue: a durable JetStream pull consumer on the Queued events, one outstanding pull at a time.

nats-py's own `fetch` waits for a full batch once it has the first message; here messages are handed on as they
come. It knows nothing about what a dispatcher does with a job.
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from smsledger.application import cloud_events
from smsledger.application.ports import StreamUnavailable
from smsledger.domain.event import Stored

from . import subjects
from .stream import NATS_ERRORS, StreamOptions, ensure_stream

log = structlog.get_logger(__name__)

REFUSED_PAUSE_S = 0.25
"""Pause after a pull that the server refused or broke off, so that asking again is no busy loop."""
_ACK_DONE = b"+ACK"
_ACK_WORKING = b"+WPI"


class QueueOptions(msgspec.Struct, frozen=True):
    """How the consumer is made and asked."""

    durable: str = "dispatcher"
    ack_wait_s: float = 30.0
    ack_pending_max: int = 100_000
    """Messages in the hands of all dispatchers together, those waiting for a retry included."""
    pull_s: float = 5.0
    """How long one pull stays open at the server."""


class JetStreamJob:
    """The Job port on one JetStream message."""

    __slots__ = ("_client", "_reply", "queued", "redelivered")

    def __init__(self, client: Client, message: Msg) -> None:
        self._client = client
        self._reply = message.reply
        self.queued: Stored = cloud_events.decode(message.data)
        # $JS.ACK.<stream>.<consumer>.<delivered>.…, with two more tokens in front in newer forms (NATS ADR-15)
        tokens = message.reply.split(".")
        self.redelivered = int(tokens[4] if len(tokens) == 9 else tokens[6]) > 1

    @property
    def message_id(self) -> UUID:
        """See the port."""
        return self.queued.aggregate_id

    async def done(self) -> None:
        """See the port. Not confirmed by the server: where it is lost, the job comes again and is found done."""
        await self._answer(_ACK_DONE)

    async def again(self, after_s: float) -> None:
        """See the port."""
        await self._answer(f'-NAK {{"delay": {int(after_s * 1_000_000_000)}}}'.encode())

    async def still_working(self) -> None:
        """See the port."""
        await self._answer(_ACK_WORKING)

    async def _answer(self, payload: bytes) -> None:
        try:
            await self._client.publish(self._reply, payload)
        except NATS_ERRORS as error:
            # Without NATS the job comes again after its ack wait, which is safe.
            log.debug("job_answer_lost", error=str(error) or type(error).__name__)


class JetStreamQueue:
    """The JobQueue port on a durable pull consumer."""

    def __init__(self, client: Client, stream: StreamOptions, options: QueueOptions) -> None:
        self._client = client
        self._js = client.jetstream()
        self._stream = stream
        self._options = options
        self._inbox: str | None = None
        self._subscription: Subscription | None = None
        self._ready: deque[JetStreamJob] = deque()
        self._arrived = asyncio.Event()
        self._open = 0
        self._pull_until = 0.0

    async def fetch(self, limit: int, wait_s: float) -> Sequence[JetStreamJob]:
        """See the port."""
        try:
            if not self._ready:
                self._arrived.clear()
                await self._pull(limit)
                try:
                    await asyncio.wait_for(self._arrived.wait(), wait_s)
                except TimeoutError:
                    return []
                if not self._ready and self._pull_until == 0.0:
                    await asyncio.sleep(min(wait_s, REFUSED_PAUSE_S))
        except NATS_ERRORS as error:
            self._pull_until = 0.0
            raise StreamUnavailable(reason=str(error) or type(error).__name__) from error
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    async def close(self) -> None:
        """Stop taking messages; those not answered come again to another dispatcher."""
        if self._subscription is not None:
            with suppress(*NATS_ERRORS):  # the connection may have ended before
                await self._subscription.unsubscribe()

    async def _pull(self, limit: int) -> None:
        now = asyncio.get_running_loop().time()
        if self._open > 0 and now < self._pull_until:
            return
        if self._subscription is None or self._pull_until == 0.0:
            await self._bind()
        request = {"batch": limit, "expires": int(self._options.pull_s * 1_000_000_000)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream.name}.{self._options.durable}"
        self._open = limit
        self._pull_until = now + self._options.pull_s + 1.0
        assert self._inbox is not None
        await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)

    async def _bind(self) -> None:
        """Make stream and consumer where they are missing, and listen on an inbox of our own.

        Settings that were changed since the consumer was made are put in force.
        """
        await ensure_stream(self._client, self._stream)
        config = ConsumerConfig(
            durable_name=self._options.durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._options.ack_wait_s,
            max_ack_pending=self._options.ack_pending_max,
            filter_subject=subjects.QUEUED,
        )
        try:
            found = (await self._js.consumer_info(self._stream.name, self._options.durable)).config
            if (found.ack_wait, found.max_ack_pending) != (config.ack_wait, config.max_ack_pending):
                await self._js.add_consumer(self._stream.name, config)  # settings have changed since
        except nats.js.errors.NotFoundError:
            await self._js.add_consumer(self._stream.name, config)
        if self._subscription is None:
            self._inbox = self._client.new_inbox()
            self._subscription = await self._client.subscribe(
                self._inbox, cb=self._take, pending_msgs_limit=0
            )

    async def _take(self, message: Msg) -> None:
        if message.headers and not message.data and "Status" in message.headers:
            # The pull ended (timeout, consumer gone, server restarting): ask again, and look at the consumer first
            # unless it was a mere timeout.
            self._open = 0
            if message.headers["Status"] != "408":
                log.warning(
                    "pull_ended", status=message.headers["Status"], why=message.headers.get("Description")
                )
                self._pull_until = 0.0
            self._arrived.set()
            return
        self._open -= 1
        try:
            self._ready.append(JetStreamJob(self._client, message))
        except cloud_events.ForeignEvent as error:
            log.error("foreign_event_in_stream", subject=message.subject, error=str(error))  # noqa: TRY400  # no trace needed
            await message.term()
            return
        self._arrived.set()
