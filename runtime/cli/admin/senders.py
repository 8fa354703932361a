"""`smsledger admin senders`."""

import rich_click as click

from smsledger.application.admin.senders import AddSender, SenderFilter
from smsledger.runtime.cli.installation import data_option

from .surface import administer, all_rows, common_options, show, show_list


@click.group()
def senders() -> None:
    """What messages go out from: list, add and remove numbers and names, per country."""


@senders.command(name="list")
@click.option("--organization", metavar="ID", help="Only this organization's own.")
@click.option(
    "--pool/--no-pool", default=None, help="Only those of the pool, or only those of organizations."
)
@click.option("--country", metavar="CC", help="Only those for this country.")
@common_options
def list_senders(
    organization: str | None, pool: bool | None, country: str | None, as_json: bool, data: str | None
) -> None:
    """List the senders by country."""
    wanted = SenderFilter(organization_id=organization, pool=pool, country=country)
    rows = administer(data, lambda use: all_rows(lambda page: use.senders.list(wanted, page)))
    show_list(rows, ("country", "sender", "organizationId", "createdAt"), as_json)


@senders.command()
@click.argument("sender")
@click.option("--country", metavar="CC", required=True, help="ISO 3166-1 alpha-2: where it sends to.")
@click.option("--organization", metavar="ID", help="The organization that owns it.  [default: the pool]")
@click.option("--accept-country-mismatch", is_flag=True, help="Use a number for a country that is not its own.")  # fmt: skip
@common_options
def add(
    sender: str,
    country: str,
    organization: str | None,
    accept_country_mismatch: bool,
    as_json: bool,
    data: str | None,
) -> None:
    """Add a number in E.164 format, or a name of 1 to 11 characters, for one country."""
    command = AddSender(
        sender=sender,
        country=country,
        organization_id=organization,
        accept_country_mismatch=accept_country_mismatch,
    )
    show(administer(data, lambda use: use.senders.add(command)), as_json)


@senders.command()
@click.argument("sender")
@click.option("--country", metavar="CC", help="Only for this country.  [default: for all]")
@data_option
def remove(sender: str, country: str | None, data: str | None) -> None:
    """Send no more from a number or name."""
    administer(data, lambda use: use.senders.remove(sender, country))
    click.echo(f"removed {sender}")
