"""`smsledger simulate`: what people with phones do, done by a running carrier simulator. It sends nothing to anybody."""

import asyncio
import os
from pathlib import Path
from typing import ClassVar

import rich_click as click

from smsledger.adapters.carriers.simulator.inject import inject_inbound
from smsledger.domain.errors import LedgerError
from smsledger.runtime.ready_file import read_ready_file
from smsledger.runtime.settings import settings_from

from .installation import data_option


class NoSimulator(LedgerError):
    """Nothing says where a simulator is."""

    message = (
        "no running carrier simulator found (nothing in {folder}): start one with `smsledger up`, name its folder "
        "with --data, or its address with --url"
    )
    exit_code: ClassVar[int] = 2


@click.group()
def simulate() -> None:
    """Have the carrier simulator do what people with phones do."""


@simulate.command()
@click.option("--from", "sender", required=True, metavar="NUMBER", help="The person's number.")
@click.option(
    "--to", "recipient", required=True, metavar="NUMBER", help="The number that the person writes to."
)
@click.option("--body", required=True, metavar="TEXT", help="What the person writes, such as STOP.")
@click.option("--url", metavar="URL", help="Address of the simulator.  [default: of the running ledger]")
@data_option
def inbound(sender: str, recipient: str, body: str, url: str | None, data: str | None) -> None:
    """Have a message come in from a phone, and print the carrier's id of it.

    The simulator hands it to the dispatcher, and keeps it until it is in the ledger.
    """
    click.echo(
        asyncio.run(
            inject_inbound(url or _simulator_url(data), sender=sender, recipient=recipient, body=body)
        )
    )


def _simulator_url(data: str | None) -> str:
    settings = settings_from(os.environ, data_dir=data)
    if settings.simulator_url and data is None:
        return settings.simulator_url
    folder = Path(settings.data_dir).expanduser().absolute()
    ready = read_ready_file(folder)
    if ready is None:
        raise NoSimulator(folder=folder)
    return ready.simulator_url
