"""`smsledger status`: how far the ledger and everything that follows it have come, and what is wrong."""

import asyncio
import sys
from datetime import UTC, datetime

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smsledger.adapters.nats.connection import NatsUnreachable
from smsledger.adapters.nats.status import StreamStatus, read_stream_status
from smsledger.adapters.nats.stream import NATS_ERRORS
from smsledger.adapters.postgres.status import Follower, LedgerStatus, LoopReport, read_status
from smsledger.runtime.health import SILENT_S_MAX, ledger_problems, present_loops, stream_problems
from smsledger.runtime.reachability import connect_once

from .installation import Installation, data_option, find_installation


class Report(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    healthy: bool
    problems: list[str]
    ledger: LedgerStatus
    stream: StreamStatus | None
    """None where NATS or the stream cannot be reached."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object instead of tables.")
@click.pass_context
@data_option
def status(ctx: click.Context, as_json: bool, data: str | None) -> None:
    """Show positions, lags, parked events and errors of the ledger's followers.

    Exit code 1 when something is not healthy; what it is stands at the end.
    """
    installation = find_installation(data)
    report = asyncio.run(_read(installation))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _print(report)
    ctx.exit(0 if report.healthy else 1)


async def _read(installation: Installation) -> Report:
    async with installation.connection("status") as conn:
        ledger = await read_status(conn)
    stream, problems = await _read_stream(installation)
    problems = ledger_problems(ledger) + problems
    return Report(not problems, problems, ledger, stream)


async def _read_stream(installation: Installation) -> tuple[StreamStatus | None, list[str]]:
    name = installation.settings.stream_name
    if not installation.nats_url:
        return None, ["stream: SMSLEDGER_NATS_URL is not set"]
    try:
        client = await connect_once(installation.nats_url, "smsledger status")
        try:
            stream = await read_stream_status(client, name)
        finally:
            await client.close()
    except NatsUnreachable as error:
        return None, [f"stream: {error}"]
    except NATS_ERRORS as error:
        return None, [f"stream: {str(error) or type(error).__name__}"]
    return stream, stream_problems(stream, name)


def _print(report: Report) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=140, highlight=False)
    console.print(f"ledger at position {report.ledger.head}")
    console.print(_followers(report))
    console.print()
    console.print(_loops(report.ledger))
    for parked in report.ledger.parked_latest:
        console.print(
            Text(
                f"parked by {parked.role}: position {parked.position}, {parked.topic}, {parked.error}",
                style="yellow",
            )
        )
    if report.ledger.parked_receipts:
        since = report.ledger.parked_receipts_since
        console.print(
            f"receipts waiting for their message: {report.ledger.parked_receipts}, the oldest since {since}"
        )
    if report.ledger.parked_inbound:
        console.print(
            f"messages from phones of which nobody knows whose they are: {report.ledger.parked_inbound}",
            style="yellow",
        )
    console.print()
    if report.healthy:
        console.print("all is well", style="green")
    for problem in report.problems:
        console.print(Text(problem, style="red"))


def _followers(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("follower", "position", "behind (events)", "behind (s)", "parked"):
        table.add_column(heading, justify="left" if heading == "follower" else "right")
    parked = report.ledger.parked_events
    for follower in report.ledger.followers:
        name = follower.name if follower.kind == "cursor" else f"{follower.kind} {follower.name}"
        cells = (
            name,
            follower.position,
            follower.lag_events,
            f"{follower.lag_s:.1f}",
            parked.get(_parked_role(follower), 0),
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    if report.stream is not None:
        queue = report.stream.queue
        if queue is not None:
            figures = (queue.position, queue.lag_events, f"{queue.lag_s:.1f}")
            table.add_row("dispatcher (messages)", *(Text(str(figure)) for figure in figures), "")
        behind = report.ledger.head - report.stream.position
        table.add_row(
            f"stream {report.stream.name}", str(report.stream.position), str(max(behind, 0)), "", ""
        )
    return table


def _parked_role(follower: Follower) -> str:
    """The name that a follower's parked events stand under."""
    return follower.name if follower.kind == "cursor" else f"projector:{follower.name}"


def _loops(ledger: LedgerStatus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("loop", "instance", "leads", "handled", "errors", "last word", "last error"):
        table.add_column(heading, overflow="fold")
    for role in dict.fromkeys(loop.role for loop in ledger.loops):
        for loop in present_loops(ledger, role):
            silent = f"{loop.silent_s:.1f} s ago"
            style = "red" if loop.silent_s > SILENT_S_MAX else ""
            cells = (
                loop.role,
                loop.instance,
                "yes" if loop.is_leader else "no",
                loop.handled,
                loop.errors,
                silent,
            )
            table.add_row(*(Text(str(cell), style=style) for cell in cells), Text(_last_error(loop)))
    return table


def _last_error(loop: LoopReport) -> str:
    if loop.last_error is None or loop.last_error_at is None:
        return ""
    ago_s = (datetime.now(UTC) - loop.last_error_at).total_seconds()
    return f"{' '.join(loop.last_error.split())} ({ago_s:.0f} s ago)"
