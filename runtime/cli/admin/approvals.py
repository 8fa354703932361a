"""`smsledger admin templates approve`, `withdraw` and `approvals`."""

import rich_click as click

from smsledger.application.admin.approvals import Approve
from smsledger.runtime.cli.installation import data_option

from .surface import administer, all_rows, common_options, show, show_list


@click.command()
@click.argument("template_id", type=int)
@click.argument("organization_id")
@click.option("--alias", help="The organization's own alias for it.")
@common_options
def approve(
    template_id: int, organization_id: str, alias: str | None, as_json: bool, data: str | None
) -> None:
    """Let an organization use a template of the pool."""
    command = Approve(custom_alias=alias)
    show(administer(data, lambda use: use.approvals.approve(template_id, organization_id, command)), as_json)


@click.command()
@click.argument("template_id", type=int)
@click.argument("organization_id")
@data_option
def withdraw(template_id: int, organization_id: str, data: str | None) -> None:
    """Let an organization no longer use a template of the pool."""
    administer(data, lambda use: use.approvals.withdraw(template_id, organization_id))
    click.echo(f"{organization_id} may no longer use template {template_id}")


@click.command(name="approvals")
@click.argument("template_id", type=int)
@common_options
def approvals_of(template_id: int, as_json: bool, data: str | None) -> None:
    """List who may use a template of the pool."""
    rows = administer(data, lambda use: all_rows(lambda page: use.approvals.list(template_id, page)))
    show_list(rows, ("organizationId", "customAlias", "approvedAt"), as_json)
