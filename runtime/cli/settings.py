"""`smsledger settings`: every setting with its variable, meaning, unit, default and current value."""

import os
import sys
from typing import Any

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smsledger.domain.errors import LedgerError
from smsledger.runtime.reachability import without_password
from smsledger.runtime.settings import Settings, setting_infos, settings_from


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of a table.")
def settings(as_json: bool) -> None:
    """List every setting: its environment variable, meaning, unit, default and current value.

    A value that cannot be used is shown as it stands, and named at the end (exit code 1).
    """
    problem: LedgerError | None = None
    try:
        current = msgspec.structs.asdict(settings_from(os.environ))
    except LedgerError as error:
        problem = error
        current = msgspec.structs.asdict(Settings())
    rows = [_row(info.variable, info.meaning, info.unit, info.default, current) for info in setting_infos()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)))
    else:
        _print_table(rows)
    if problem is not None:
        raise problem


def _row(variable: str, meaning: str, unit: str, default: object, current: dict[str, Any]) -> dict[str, Any]:
    name = variable.removeprefix("SMSLEDGER_").lower()
    text = os.environ.get(variable)
    value = current[name] if text is None or current[name] != default else _as_given(text, default)
    return {
        "variable": variable,
        "meaning": meaning,
        "unit": unit,
        "default": default,
        "value": without_password(value) if isinstance(value, str) else value,
        "from_environment": text is not None,
    }


def _as_given(text: str, default: object) -> object:
    """The environment's text, unless it says the default in other words (`10` for `10.0`)."""
    try:
        return default if not isinstance(default, str) and float(text) == default else text
    except ValueError:
        return text


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("variable", "meaning", "unit", "default", "value"):
        table.add_column(heading, overflow="fold")
    table.columns[0].no_wrap = True
    for row in rows:
        # Text, not str: brackets in a value are no markup.
        cells = [Text(str(row[name])) for name in ("variable", "meaning", "unit", "default", "value")]
        if row["from_environment"]:
            cells[-1].stylize("bold")
        table.add_row(*cells)
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=160)
    console.print(table)
