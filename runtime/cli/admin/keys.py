"""`smsledger admin keys`."""

import rich_click as click

from smsledger.application.admin.keys import CreateKey
from smsledger.application.directory import KeyKind
from smsledger.runtime.cli.installation import data_option

from .surface import administer, all_rows, common_options, show, show_list


@click.group()
def keys() -> None:
    """What clients present: list, create and revoke API keys."""


@keys.command(name="list")
@click.option("--organization", metavar="ID", help="Only this organization's.")
@common_options
def list_keys(organization: str | None, as_json: bool, data: str | None) -> None:
    """List the keys, newest first, with their last use (some seconds behind); never the keys themselves."""
    rows = administer(data, lambda use: all_rows(lambda page: use.keys.list(organization, page)))
    columns = ("keyId", "organizationId", "kind", "name", "createdAt", "expiresAt", "revokedAt", "lastUsedAt")
    show_list(rows, columns, as_json)


@keys.command()
@click.argument("organization_id")
@click.option("--kind", type=click.Choice([str(kind) for kind in KeyKind]), required=True, help="SENDING sends, previews and reads; SERVER does everything of its organization; ADMIN administers the installation.")  # fmt: skip
@click.option("--name", required=True, help="For people: who uses it.")
@click.option("--expires-at", metavar="TIME", help="ISO 8601, UTC where no zone is given.  [default: never]")
@common_options
def create(
    organization_id: str, kind: str, name: str, expires_at: str | None, as_json: bool, data: str | None
) -> None:
    """Create a key and print it, this once."""
    command = CreateKey(organization_id=organization_id, kind=KeyKind(kind), name=name, expires_at=expires_at)
    show(administer(data, lambda use: use.keys.create(command)), as_json)


@keys.command()
@click.argument("key_id")
@data_option
def revoke(key_id: str, data: str | None) -> None:
    """Revoke a key by its id: it is refused within a second in every process."""
    administer(data, lambda use: use.keys.revoke(key_id))
    click.echo(f"revoked {key_id}")
