"""Which ledger a command is about: the one that settings name, or the one that `smsledger up` runs in the data folder.

It opens connections for commands and starts nothing.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
import psycopg
import rich_click as click
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from smsledger.domain.errors import LedgerError
from smsledger.runtime.reachability import CONNECT_S_MAX, postgres_unreachable
from smsledger.runtime.ready_file import read_ready_file
from smsledger.runtime.settings import Settings, settings_from

F = TypeVar("F", bound=Callable[..., Any])


class NoLedger(LedgerError):
    """Neither settings nor the data folder lead to a ledger."""

    message = (
        "no running ledger found (nothing in {folder}): start one with `smsledger up`, "
        "name its folder with --data, or set SMSLEDGER_POSTGRES_URL"
    )
    exit_code: ClassVar[int] = 2


class NoStream(LedgerError):
    """PostgreSQL is named, NATS is not."""

    message = "SMSLEDGER_POSTGRES_URL is set and SMSLEDGER_NATS_URL is not: set both"
    exit_code: ClassVar[int] = 2


class LedgerNotMigrated(LedgerError):
    """The database has no ledger, or an older release's."""

    message = "the database is not the one of this release ({reason}): run `smsledger migrate`"


class Installation(msgspec.Struct, frozen=True):
    """Where a ledger is."""

    settings: Settings
    postgres_url: str
    nats_url: str
    remedy: str
    """What to do where it cannot be reached."""

    @asynccontextmanager
    async def connection(self, name: str) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in autocommit mode; a lost one inside ends as PostgresUnreachable."""
        try:
            async with await self.connect(name) as conn:
                yield conn
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise LedgerNotMigrated(reason=error.diag.message_primary) from None
        except psycopg.OperationalError as error:
            raise postgres_unreachable(self.postgres_url, error, self.remedy) from None

    async def connect(self, name: str) -> AsyncConnection[Any]:
        """A connection in autocommit mode. Raises psycopg.OperationalError."""
        return await psycopg.AsyncConnection.connect(
            self.postgres_url,
            autocommit=True,
            application_name=f"smsledger {name}",
            connect_timeout=CONNECT_S_MAX,
            # A peer that vanished without a word is noticed within half a minute.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=4,
        )


def find_installation(data: str | None) -> Installation:
    """The ledger meant by settings and the option --data. Raises NoLedger, and what settings raise."""
    settings = settings_from(os.environ, data_dir=data)
    if settings.postgres_url and data is None:
        remedy = "start it, or correct SMSLEDGER_POSTGRES_URL"
        try:
            conninfo_to_dict(settings.postgres_url)
        except psycopg.ProgrammingError as error:
            raise postgres_unreachable(settings.postgres_url, error, remedy) from None
        return Installation(settings, settings.postgres_url, settings.nats_url, remedy)
    folder = Path(settings.data_dir).expanduser().absolute()
    ready = read_ready_file(folder)
    if ready is None:
        raise NoLedger(folder=folder)
    remedy = "is `smsledger up` still running?"
    return Installation(settings, ready.postgres_url, ready.nats_url, remedy)


def data_option(command: F) -> F:
    """The option --data of commands that look at a ledger."""
    text = "Data folder of the `smsledger up` to look at.  [default: .smsledger]"
    return click.option("--data", metavar="DIR", help=text)(command)
