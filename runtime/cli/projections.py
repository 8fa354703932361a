"""`smsledger projections`: which read models there are, and how one is made anew while the service runs."""

import asyncio
import sys

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from smsledger.adapters.postgres.status import Follower, read_status
from smsledger.projections.projector import Projector, RetryReport
from smsledger.projections.rebuild import REBUILT_TOGETHER, RebuildReport, rebuild

from .installation import Installation, data_option, find_installation


@click.group()
def projections() -> None:
    """The read models: list them, or rebuild one from the event store."""


@projections.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of a table.")
@data_option
def list_projections(as_json: bool, data: str | None) -> None:
    """List the projections with their positions and lags, those being rebuilt included."""
    followers = asyncio.run(_followers(find_installation(data)))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(followers)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("projection", "state", "position", "behind (events)", "behind (s)"):
        table.add_column(heading)
    for one in followers:
        state = "live" if one.kind == "projection" else "being rebuilt"
        table.add_row(one.name, state, str(one.position), str(one.lag_events), f"{one.lag_s:.1f}")
    Console(file=sys.stdout).print(table)
    click.echo(f"can be rebuilt: {', '.join(REBUILT_TOGETHER)}")


@projections.command(name="rebuild")
@click.argument("name")
@data_option
def rebuild_projection(name: str, data: str | None) -> None:
    """Make a projection anew from the event store, beside the live one, and switch to it.

    The service runs on meanwhile; where this is interrupted, the live projection stays as it was.
    """
    report = asyncio.run(_rebuild(find_installation(data), name))
    rate = report.events / report.elapsed_s if report.elapsed_s else 0.0
    click.echo(
        f"rebuilt {' and '.join(report.rebuilt)}: {report.events} events of {report.messages} messages "
        f"in {report.elapsed_s:.1f} s ({rate:,.0f} events/s); generation {report.generation} is live"
    )


@projections.command(name="retry")
@data_option
def retry_parked(data: str | None) -> None:
    """Try parked events again, such as after an upgrade that knows their types. The service runs on meanwhile."""
    report = asyncio.run(_retry(find_installation(data)))
    click.echo(f"applied {report.applied} parked events, {report.still_parked} are still parked")


async def _retry(installation: Installation) -> RetryReport:
    async with (
        installation.connection("retry"),
        Projector(lambda: installation.connect("retry")) as projector,
    ):
        return await projector.retry_parked()


async def _followers(installation: Installation) -> list[Follower]:
    async with installation.connection("projections") as conn:
        found = (await read_status(conn)).followers
    return [follower for follower in found if follower.kind != "cursor"]


async def _rebuild(installation: Installation, name: str) -> RebuildReport:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    # One connection first, so that an unreachable server, or one lost on the way, is one line.
    async with installation.connection("rebuild"):
        with Progress(*columns, console=Console(file=sys.stderr)) as bar:
            task = bar.add_task(f"rebuilding {name}", total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return await rebuild(lambda: installation.connect("rebuild"), name, progress=show)
