"""`python -m benchmarks`: run the measurements, print the table, write benchmarks/out/bench.json."""

import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import rich_click as click
import uvloop
from rich.console import Console
from rich.table import Table

from .bench import Bench
from .floors.http import HttpFloor
from .measures.accept import batch_accept, single_accept
from .measures.get_one import get_one
from .measures.list_growth import list_growth
from .measures.memory import GROWTH_MAX, GROWTH_MB_MAX, memory_growth
from .measures.rate_limit_cost import rate_limit_cost
from .measures.rebuild import rebuild
from .measures.whole_life import whole_life
from .plan import FULL, QUICK, Plan, with_seconds
from .result import (
    OUT,
    Measurement,
    MeasurementFailed,
    Memory,
    print_measurements,
    print_memory,
    write_json,
)
from .service import Service


async def _list_growth(bench: Bench) -> Measurement:
    plan = bench.plan
    url = bench.service.ready.postgres_url
    return await list_growth(url, plan.list_small, plan.list_large, plan.list_requests, bench.say)


# In this order: reading and rebuilding need the messages of whole_life; accepting leaves work undone behind it.
MEASURES: dict[str, Callable[[Bench], Awaitable[Measurement]]] = {
    "whole_life": whole_life,
    "get_one": get_one,
    "rebuild": rebuild,
    "list_growth": _list_growth,
    "single_accept": single_accept,
    "batch_accept": batch_accept,
    "rate_limit_cost": rate_limit_cost,
}
NEEDS_MESSAGES = ("get_one", "rebuild")

console = Console(width=None if sys.stdout.isatty() else 150)


@click.group()
def main() -> None:
    """Measure the ledger against floors taken on the same machine in the same run (docs/benchmarks.md)."""


@main.command()
@click.option("--quick", is_flag=True, help="Everything in under 50 s, less exact.")
@click.option("--seconds", type=float, help="Length of one round.")
@click.option("--only", help=f"Comma-separated, out of {', '.join(MEASURES)}.")
@click.option("--profile", is_flag=True, help="Also sample the processes with py-spy, into the same folder.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=OUT, show_default=True, help="Folder for results."
)
def run(quick: bool, seconds: float | None, only: str | None, profile: bool, out: Path) -> None:
    """Take the measurements. Exit code 1 where one could not be taken; a missed target is no such failure."""
    names = _names(only)
    plan = with_seconds(QUICK if quick else FULL, seconds)
    sys.exit(uvloop.run(_run(names, plan, out, out if profile else None)))


@main.command(name="list")
@click.option("--small", default=FULL.list_small, show_default=True, help="Messages in the small ledger.")
@click.option("--large", default=FULL.list_large, show_default=True, help="Messages in the large ledger.")
def list_command(small: int, large: int) -> None:
    """Measure lists in a small and a large ledger; may take minutes."""
    plan = msgspec.structs.replace(FULL, list_small=small, list_large=large)
    sys.exit(uvloop.run(_run(["list_growth"], plan, OUT, None, "list.json")))


@main.command()
@click.option("--minutes", default=10.0, show_default=True)
def memory(minutes: float) -> None:
    """Check that no process grows under a steady load. Exit code 1 where one does."""
    with Service() as service, HttpFloor() as floor:
        found = uvloop.run(memory_growth(Bench(service, floor, FULL, _say), minutes))
    table = Table(title=f"memory over {minutes:g} minutes", title_justify="left")
    for heading in ("process", "settled MB", "at the end MB", "resident MB", ""):
        table.add_column(heading, justify="left" if heading in ("process", "") else "right")
    for one in found:
        verdict = "[green]steady[/]" if one.is_steady else "[red]GROWS[/]"
        table.add_row(
            one.role, f"{one.settled_mb:.1f}", f"{one.end_mb:.1f}", f"{one.resident_mb:.1f}", verdict
        )
    console.print(table)
    console.print(
        f"steady: grew by less than {GROWTH_MAX:.0%} or {GROWTH_MB_MAX:g} MB after the first minutes"
    )
    sys.exit(0 if all(one.is_steady for one in found) else 1)


async def _run(
    names: list[str], plan: Plan, out: Path, profile_dir: Path | None, file: str = "bench.json"
) -> int:
    started = time.monotonic()
    measurements: list[Measurement] = []
    memories: list[Memory] = []
    seconds: dict[str, float] = {}
    failed = False
    with ExitStack() as stack:
        _say("starting smsledger up")
        service = stack.enter_context(Service())
        bench = Bench(service, stack.enter_context(HttpFloor()), plan, _say, profile_dir)
        for name in names:
            _say(name)
            began = time.monotonic()
            before_mb = _rounded(service.processes.resident_mb())
            try:
                measurements.append(await MEASURES[name](bench))
            except MeasurementFailed as error:
                failed = True
                console.print(
                    f"[red]{name} could not be measured:[/] {error}\n{service.log_tail()}", highlight=False
                )
                continue
            seconds[name] = round(time.monotonic() - began, 1)
            memories.append(Memory(name, before_mb, _rounded(service.processes.resident_mb())))
    print_measurements(console, measurements)
    print_memory(console, memories)
    elapsed_s = round(time.monotonic() - started, 1)
    about = {
        "quick": plan.is_quick,
        "round_s": plan.round_s,
        "rounds": plan.rounds,
        "elapsed_s": elapsed_s,
        "seconds": seconds,
    }
    write_json(out / file, measurements, memories, about)
    console.print(f"{elapsed_s} s; written to {out / file}")
    return 1 if failed else 0


def _names(only: str | None) -> list[str]:
    wanted = [name.strip() for name in only.split(",")] if only else list(MEASURES)
    for name in wanted:
        if name not in MEASURES:
            raise click.BadParameter(f"{name} is not one of {', '.join(MEASURES)}", param_hint="--only")
    if any(name in NEEDS_MESSAGES for name in wanted) and "whole_life" not in wanted:
        wanted.append("whole_life")
    return [name for name in MEASURES if name in wanted]


def _rounded(memory_mb: dict[str, float]) -> dict[str, float]:
    return {role: round(mb, 1) for role, mb in memory_mb.items()}


def _say(line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')} {line}[/]", highlight=False)


if __name__ == "__main__":
    main()
