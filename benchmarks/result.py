"""What a measurement found: the value, its floor and their ratio, as a table for people and as JSON for machines."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "out"


class MeasurementFailed(Exception):
    """A value could not be taken; a value that is merely bad is no failure."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds that half, and all but one of a hundred, of the answers stayed under."""

    p50_ms: float
    p99_ms: float


class Measurement(msgspec.Struct, kw_only=True):
    """One row of the table. `ratio` is value by floor; `target` is the least ratio, or the most where `at_most`."""

    name: str
    value: float
    floor: float
    unit: str
    target: float
    at_most: bool = False
    latency: Latency | None = None
    floor_latency: Latency | None = None
    details: dict[str, Any] = {}

    @property
    def ratio(self) -> float:
        """Value by floor."""
        return self.value / self.floor

    @property
    def is_met(self) -> bool:
        """Whether the ratio is as good as it should be."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of each process of the service, in MB, before and after a measurement."""

    measurement: str
    before_mb: dict[str, float]
    after_mb: dict[str, float]


def median(values: Sequence[float]) -> float:
    """The median of the rounds. Raises MeasurementFailed where there was none."""
    if not values:
        raise MeasurementFailed("no round was finished")
    return statistics.median(values)


def spread(values: Sequence[float]) -> float:
    """How far the rounds lie apart: (highest - lowest) by median."""
    return (max(values) - min(values)) / statistics.median(values)


def print_measurements(console: Console, measurements: Sequence[Measurement]) -> None:
    """The table of values and floors."""
    table = Table(title="smsledger benchmarks", title_justify="left")
    for heading, justify in (("measure", "left"), ("value", "right"), ("floor", "right"), ("unit", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # the words are Literals there
    for heading in ("ratio", "target", "p50 ms", "p99 ms", "floor p50", "floor p99"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in measurements:
        table.add_row(
            one.name,
            _number(one.value),
            _number(one.floor),
            one.unit,
            f"{one.ratio:.3f}",
            f"{'≤' if one.at_most else '≥'} {one.target:g}",
            *_latency(one.latency),
            *_latency(one.floor_latency),
            "[green]pass[/]" if one.is_met else "[red]MISSED[/]",
        )
    console.print(table)


def print_memory(console: Console, memories: Sequence[Memory]) -> None:
    """The table of resident memory, one column per process."""
    names = list(dict.fromkeys(name for memory in memories for name in memory.after_mb))
    table = Table(title="resident memory, MB before → after", title_justify="left")
    for heading in ("measure", *names):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for memory in memories:
        cells = [
            f"{memory.before_mb.get(name, 0):.0f} → {memory.after_mb.get(name, 0):.0f}" for name in names
        ]
        table.add_row(memory.measurement, *cells)
    console.print(table)


def write_json(
    path: Path, measurements: Sequence[Measurement], memories: Sequence[Memory], about: Mapping[str, Any]
) -> None:
    """Write the results: one object with four fields for each measurement, everything else beside them."""
    document: dict[str, Any] = {
        one.name: {
            "value": round(one.value, 3),
            "floor": round(one.floor, 3),
            "ratio": round(one.ratio, 4),
            "unit": one.unit,
        }
        for one in measurements
    }
    document["details"] = {
        one.name: {
            "target": one.target,
            "met": one.is_met,
            "latency": one.latency,
            "floor_latency": one.floor_latency,
            **one.details,
        }
        for one in measurements
    }
    document["memory"] = list(memories)
    document["about"] = {**machine(), **about}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _latency(latency: Latency | None) -> tuple[str, str]:
    return (f"{latency.p50_ms:.1f}", f"{latency.p99_ms:.1f}") if latency else ("", "")
