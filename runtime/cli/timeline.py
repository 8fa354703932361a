"""`smsledger timeline`: one message's events as a person reads them, or as CloudEvents."""

import asyncio
from collections.abc import Iterator, Sequence

import rich_click as click

from smsledger.adapters.postgres.event_log import EventLog
from smsledger.application.ledger import MessageMissing
from smsledger.domain import consent as consents
from smsledger.domain.consent import Restored, Suppressed
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Stored, aggregate_name
from smsledger.domain.ids import parse_id
from smsledger.domain.message import Message, Queued, Received, fold
from smsledger.domain.status import Direction

from .event_text import (
    NAME_WIDTH,
    cloud_event,
    colour_of,
    decoded,
    details,
    event_label,
    local_text,
    masked_number,
    segments_text,
    span_text,
    utc_text,
)
from .installation import Installation, data_option, find_installation


@click.command()
@click.argument("message_id", metavar="MESSAGE-ID")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvent a line instead.")
@click.option("--reveal", is_flag=True, help="Show numbers, body and metadata in full.")
@data_option
def timeline(message_id: str, as_json: bool, reveal: bool, data: str | None) -> None:
    """Show what happened to a message, from its first event to now, or (con_…) to the consent of a number.

    Numbers are masked and the body is hidden unless --reveal is given.
    """
    events = asyncio.run(_read(find_installation(data), message_id))
    if as_json:
        for stored in events:
            click.echo(cloud_event(stored, reveal=reveal))
        return
    for line in (*_header(message_id, events, reveal=reveal), "", *_lines(events, reveal=reveal)):
        click.echo(line)


async def _read(installation: Installation, message_id: str) -> Sequence[Stored]:
    parsed = parse_id(message_id)
    async with installation.connection("timeline") as conn:
        events = await EventLog(conn).of_message(parsed)
    if not events:
        raise MessageMissing(message_id=message_id)
    return events


def _header(message_id: str, events: Sequence[Stored], *, reveal: bool) -> Iterator[str]:
    if aggregate_name(events[0].topic) == "consent":
        yield from _consent_header(message_id, events, reveal=reveal)
        return
    message = _folded(events)
    if message is None:
        yield f"{click.style(message_id, bold=True)}  organization {events[0].organization_id}"
        yield "  (its events cannot be folded by this release)"
        return
    status = click.style(message.status, fg=colour_of(message.status), bold=True)
    yield f"{click.style(message_id, bold=True)}  {status}"
    inbound = message.direction is Direction.INBOUND
    sender = masked_number(message.sender) if inbound and not reveal else message.sender
    recipient = message.recipient if inbound or reveal else masked_number(message.recipient)
    yield f"  from          {sender}"
    yield f"  to            {recipient} ({message.country})"
    first = decoded(events[0])
    segments = segments_text(message.segments, first.encoding if isinstance(first, Queued | Received) else "")
    yield f"  body          {message.body if reveal else f'(hidden, {len(message.body)} characters)'}, {segments}"
    if isinstance(first, Queued):
        template = first.template_alias or first.template_id
        yield f"  template      {f'{template}, version {first.template_version}' if template else 'none, the reply to a keyword'}"
    if message.tag is not None:
        yield f"  tag           {message.tag}"
    if message.metadata:
        shown = ", ".join(f"{key}={value}" for key, value in message.metadata.items())
        yield f"  metadata      {shown if reveal else f'(hidden, {len(message.metadata)} values)'}"
    yield f"  organization  {message.organization_id}"
    if message.provider_message_id is not None:
        yield f"  carrier       {message.carrier}, its id {message.provider_message_id}"
    if message.error_code is not None:
        yield f"  error         {message.error_code}: {message.error_message}"


def _consent_header(consent_id: str, events: Sequence[Stored], *, reveal: bool) -> Iterator[str]:
    found = [event for stored in events if (event := decoded(stored)) is not None]
    number = next((event.number for event in found if isinstance(event, Suppressed | Restored)), "")
    try:
        standing = consents.fold(events[0].organization_id, number, found).suppressions.values()
    except LedgerError:
        standing = {}.values()
    status = ("SUPPRESSED", "suppressed") if standing else ("NOT SUPPRESSED", "restored")
    yield f"{click.style(consent_id, bold=True)}  {click.style(status[0], fg=colour_of(status[1]), bold=True)}"
    yield f"  number        {number if reveal else masked_number(number)}"
    for event in standing:
        yield f"  scope {event.scope:8}{event.reason}"
    yield f"  organization  {events[0].organization_id}"


def _lines(events: Sequence[Stored], *, reveal: bool) -> Iterator[str]:
    began_at = events[0].recorded_at
    for stored in events:
        label = event_label(stored)
        yield "  ".join(
            [
                local_text(stored.recorded_at),
                click.style(utc_text(stored.recorded_at)[11:], dim=True),
                f"{'+' + span_text(stored.recorded_at - began_at):>12}",
                click.style(f"{label:{NAME_WIDTH}}", fg=colour_of(label), bold=True),
                details(decoded(stored), reveal=reveal),
            ]
        ).rstrip()


def _folded(events: Sequence[Stored]) -> Message | None:
    found = [event for stored in events if (event := decoded(stored)) is not None]
    try:
        return fold(events[0].aggregate_id, found)
    except LedgerError:
        return None
