"""What the commands of `smsledger admin` share: the use cases on the ledger's database, tables, JSON."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import rich_click as click
from psycopg import AsyncConnection
from rich.console import Console
from rich.table import Table

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.application.admin.administration import Administration
from smsledger.application.admin.json_form import json_form
from smsledger.application.admin.listing import Listed, ListPage
from smsledger.runtime.administration import open_administration
from smsledger.runtime.cli.installation import data_option, find_installation

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

PAGE_COUNT = 500
WIDTH_OF_FILES = 240
"""Characters of a table that does not go to a terminal, where no line should be broken."""


def common_options(command: F) -> F:
    """--json and --data."""
    as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
    return as_json(data_option(command))


def administer(data: str | None, use: Callable[[Administration], Awaitable[T]]) -> T:
    """What `use` does with the use cases. Raises what they raise, and what finding the ledger raises."""
    installation = find_installation(data)

    async def run() -> T:
        async with installation.connection("admin") as conn:

            @asynccontextmanager
            async def lend() -> AsyncIterator[AsyncConnection[Any]]:
                yield conn

            return await use(open_administration(lend, E164Numbers()))

    return asyncio.run(run())


async def all_rows(read: Callable[[ListPage], Awaitable[Listed[T]]]) -> list[T]:
    """Every row of a list, page by page."""
    rows: list[T] = []
    cursor: str | None = None
    while True:
        page = await read(ListPage(count=PAGE_COUNT, cursor=cursor))
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows


def show(record: Any, as_json: bool) -> None:
    """One record: its fields below each other, or JSON as `/v1/admin` answers."""
    fields = json_form(record)
    if as_json:
        _print_json(fields)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in fields.items():
        table.add_row(name, _cell(value))
    _print(table)


def show_list(records: Sequence[Any], columns: Iterable[str], as_json: bool) -> None:
    """Records as a table of some of their fields, or as a JSON array of all."""
    rows = json_form(list(records))
    if as_json:
        _print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = list(columns)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    _print(table)


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return "; ".join(f"{name} {_cell(inner)}" for name, inner in value.items())
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def _print(table: Table) -> None:
    width = None if os.isatty(1) else WIDTH_OF_FILES
    Console(file=sys.stdout, width=width, markup=False, highlight=False).print(table)
