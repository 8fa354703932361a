"""`smsledger tail`: all events as they are appended, in the order of their positions.

It reads the event store itself, not the stream, and holds its place over lost connections.
"""

import asyncio
import os
import select
import sys
from collections.abc import Sequence

import msgspec
import psycopg
import rich_click as click

from smsledger.adapters.postgres.event_log import EventLog
from smsledger.domain.event import Stored, event_name
from smsledger.domain.ids import render_aggregate_id

from .event_text import (
    EVENT_NAMES,
    NAME_WIDTH,
    cloud_event,
    colour_of,
    decoded,
    details,
    event_label,
    local_text,
)
from .installation import Installation, data_option, find_installation
from .running import run_until_stopped

BATCH_EVENTS = 500
POLL_S = 1.0
RECONNECT_S_FIRST = 0.2
RECONNECT_S_MAX = 2.0


class TailOptions(msgspec.Struct, frozen=True):
    """What is followed and how it is shown."""

    start: int | None
    follow: bool
    organization: str | None
    types: frozenset[str]
    as_json: bool
    reveal: bool

    def wants(self, stored: Stored) -> bool:
        """Whether an event is to be shown."""
        if self.organization is not None and stored.organization_id != self.organization:
            return False
        return not self.types or event_name(stored.topic) in self.types

    def render(self, stored: Stored) -> bytes:
        """An event's line."""
        if self.as_json:
            return cloud_event(stored, reveal=self.reveal)
        return _line(stored, reveal=self.reveal).encode()


@click.command()
@click.option("--from", "start", type=click.IntRange(min=0), metavar="POSITION", help="Begin with this position; 1 is the first event.  [default: the next event]")  # fmt: skip
@click.option("--no-follow", is_flag=True, help="End after the last event that there is.")
@click.option("--organization", metavar="ID", help="Only events of this organization.")
@click.option("--type", "types", multiple=True, metavar="NAME", help="Only events of this type, such as delivered; may be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One CloudEvent a line, for machines.")
@click.option("--reveal", is_flag=True, help="Show numbers, bodies and metadata in full.")
@data_option
def tail(
    start: int | None,
    no_follow: bool,
    organization: str | None,
    types: tuple[str, ...],
    as_json: bool,
    reveal: bool,
    data: str | None,
) -> None:
    """Follow all events live, in the order of the ledger, until Ctrl-C.

    Numbers are masked and bodies left out unless --reveal is given.
    """
    names = frozenset(name.lower().removeprefix("sms.") for name in types)
    if unknown := names - EVENT_NAMES:
        known = ", ".join(sorted(EVENT_NAMES))
        raise click.BadParameter(
            f"`{min(unknown)}` is no type of events; there are {known}", param_hint="--type"
        )
    options = TailOptions(start, not no_follow, organization, names, as_json, reveal)
    run_until_stopped(Tail(find_installation(data), options).run())


class Tail:
    """Shows events from a position on; connects anew, at that position, as often as it must."""

    def __init__(self, installation: Installation, options: TailOptions) -> None:
        self._installation = installation
        self._options = options
        self._position: int | None = None if options.start is None else max(options.start - 1, 0)
        self._output = sys.stdout.buffer
        self._plain = not _wants_colour()

    async def run(self) -> None:
        """Until cancelled, until the reader of our output has gone, or until the end where nothing is followed.

        Raises PostgresUnreachable where the first connection fails.
        """
        async with self._installation.connection("tail") as conn:
            self._position = await EventLog(conn).head() if self._position is None else self._position
        pause_s = RECONNECT_S_FIRST
        while True:
            try:
                async with await self._installation.connect("tail") as conn:
                    _notice_after(pause_s, "connected again")
                    pause_s = RECONNECT_S_FIRST
                    await self._show_from(EventLog(conn))
                    return
            except psycopg.OperationalError:
                if pause_s == RECONNECT_S_FIRST:
                    _notice("PostgreSQL is gone; waiting for it")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RECONNECT_S_MAX)

    async def _show_from(self, log: EventLog) -> None:
        await log.listen()
        while not _reader_has_gone():
            events = await log.after(self._position or 0, BATCH_EVENTS)
            if events:
                self._show(events)
                self._position = events[-1].position
            elif self._options.follow:
                await log.wait(POLL_S)
            else:
                return

    def _show(self, events: Sequence[Stored]) -> None:
        lines = [self._options.render(stored) + b"\n" for stored in events if self._options.wants(stored)]
        text = b"".join(lines)
        if self._plain and not self._options.as_json:
            text = click.unstyle(text.decode()).encode()
        self._output.write(text)
        self._output.flush()


def _line(stored: Stored, *, reveal: bool) -> str:
    label = event_label(stored)
    return "  ".join(
        [
            click.style(f"{stored.position:>8}", dim=True),
            local_text(stored.recorded_at),
            click.style(f"{label:{NAME_WIDTH}}", fg=colour_of(label), bold=True),
            render_aggregate_id(stored.topic, stored.aggregate_id),
            click.style(stored.organization_id, dim=True),
            details(decoded(stored), reveal=reveal),
        ]
    ).rstrip()


def _notice(text: str) -> None:
    click.echo(f"smsledger: {text}", err=True)


def _notice_after(pause_s: float, text: str) -> None:
    if pause_s > RECONNECT_S_FIRST:
        _notice(text)


def _wants_colour() -> bool:
    if "NO_COLOR" in os.environ:
        return False
    return "FORCE_COLOR" in os.environ or sys.stdout.isatty()


def _reader_has_gone() -> bool:
    """Whether our output is a pipe that nobody reads any more, noticed even while there is nothing to write."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(events & select.POLLERR for _, events in poll.poll(0))
