"""The commands that run one part of the service in this process, for production and for the supervisor's children."""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
import rich_click as click

from smsledger.adapters.postgres import migrate as migrations
from smsledger.domain.errors import LedgerError
from smsledger.runtime.demo import ensure_demo
from smsledger.runtime.logs import configure_logging
from smsledger.runtime.reachability import free_port, postgres_unreachable, require_nats, require_postgres
from smsledger.runtime.roles import ROLES, parse_roles
from smsledger.runtime.settings import Settings, settings_from

from .installation import NoLedger, NoStream, data_option, find_installation
from .running import run_until_stopped

SIMULATOR_URL = "tcp://127.0.0.1:2775"
"""Where the simulator listens when nothing else is said; 2775 is SMPP's port."""


class InvalidSimulatorUrl(LedgerError):
    """The simulator's address is not one."""

    message = "{url!r} is not an address of the carrier simulator: give it as tcp://host:port"


class OrganizationsExist(LedgerError):
    """The demo is for empty ledgers."""

    message = "the ledger has organizations already: nothing was made, and keys cannot be shown again"


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 8080]")
@click.option("--api-workers", type=int, help="API processes behind the port.  [default: 1]")
def api(host: str | None, port: int | None, api_workers: int | None) -> None:
    """Serve the HTTP API, until SIGTERM or Ctrl-C.

    Needs SMSLEDGER_POSTGRES_URL, with the tables made by `smsledger migrate`.
    """
    settings = settings_from(os.environ, host=host, port=port, api_workers=api_workers)
    configure_logging(settings, "api")
    _require_ledger(settings, nats=False)
    # The HTTP server would share the port with whoever else is willing to.
    settings = msgspec.structs.replace(settings, port=free_port(settings.host, settings.port))
    from smsledger.runtime.api import run_api  # noqa: PLC0415  # the web framework is this command's alone

    run_api(settings)


@click.command()
@click.option(
    "--roles", default=",".join(ROLES), show_default=True, help="What this process runs, separated by commas."
)
def worker(roles: str) -> None:
    """Run the publisher, the projector, the dispatcher, or several of them, until SIGTERM or Ctrl-C.

    Any number of processes may run the same role. Needs SMSLEDGER_POSTGRES_URL and SMSLEDGER_NATS_URL.
    """
    parsed = parse_roles(roles)
    settings = settings_from(os.environ)
    configure_logging(settings, "+".join(parsed))
    _require_ledger(settings, nats=parsed != ("projector",))
    from smsledger.runtime.services import run_worker  # noqa: PLC0415  # after the settings were found usable

    run_until_stopped(run_worker(settings, parsed))


@click.command()
@click.option("--listen", metavar="URL", help=f"Address to listen on.  [default: SMSLEDGER_SIMULATOR_URL, or {SIMULATOR_URL}]")  # fmt: skip
@data_option
def simulator(listen: str | None, data: str | None) -> None:
    """Run the carrier simulator, which takes messages and brings none to a phone.

    It keeps its journal in the folder `simulator` of the data folder.
    """
    settings = settings_from(os.environ, data_dir=data)
    configure_logging(settings, "simulator")
    host, port = _host_and_port(listen or settings.simulator_url or SIMULATOR_URL)
    from smsledger.adapters.carriers.simulator.scripts import Behaviour  # noqa: PLC0415  # this command's alone
    from smsledger.adapters.carriers.simulator.server import run_simulator  # noqa: PLC0415

    behaviour = Behaviour(
        answer_ms=settings.simulator_answer_ms,
        receipt_ms=settings.simulator_receipt_ms,
        undelivered_percent=settings.simulator_undelivered_percent,
        refused_percent=settings.simulator_refused_percent,
    )
    run_simulator(host, port, Path(settings.data_dir).expanduser() / "simulator", behaviour)


@click.command()
@data_option
def migrate(data: str | None) -> None:
    """Bring the database's tables to this release; safe to run again, and from several hosts at once."""
    installation = find_installation(data)
    try:
        applied = migrations.migrate(installation.postgres_url)
    except psycopg.OperationalError as error:
        raise postgres_unreachable(installation.postgres_url, error, installation.remedy) from None
    for migration in applied:
        click.echo(f"applied {migration.number:04}_{migration.name}")
    if not applied:
        click.echo("nothing to do: the database is up to date")


@click.command()
@data_option
def demo(data: str | None) -> None:
    """Make the organization `demo` on a ledger that has none yet, and print its keys, this once.

    It has approved templates and sender numbers for several countries: enough to send a first message.
    """
    keys = ensure_demo(find_installation(data).postgres_url)
    if keys is None:
        raise OrganizationsExist
    click.echo(msgspec.json.format(msgspec.json.encode(keys)).decode())


def _require_ledger(settings: Settings, *, nats: bool) -> None:
    """What a production process needs is there before it starts to retry for ever."""
    if not settings.postgres_url:
        raise NoLedger(folder="SMSLEDGER_POSTGRES_URL")
    if nats and not settings.nats_url:
        raise NoStream
    require_postgres(settings.postgres_url)
    migrations.require_current(settings.postgres_url)
    if nats:
        asyncio.run(require_nats(settings.nats_url))


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        if parts.scheme == "tcp" and parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass  # a port that is no number
    raise InvalidSimulatorUrl(url=url)
