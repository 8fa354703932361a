"""`smsledger admin templates`: templates and their versions."""

import sys
from pathlib import Path

import rich_click as click

from smsledger.application.admin.templates import (
    ChangeTemplate,
    CreateTemplate,
    CreateVersion,
    TemplateFilter,
)
from smsledger.domain.errors import LedgerError

from .surface import administer, all_rows, common_options, given, show, show_list

BODY_HELP = "The text, in Liquid."
FILE_HELP = "A file with the text; - is the standard input."


class BodyMissing(LedgerError):
    """It is not clear what the text is."""

    message = "give the text either with --body or with --file"


class BodyUnreadable(LedgerError):
    """The file with the text cannot be read."""

    message = "--file: {path} cannot be read ({reason})"


@click.group()
def templates() -> None:
    """What is sent: list, create and change templates, their versions, and who may use them."""


@templates.command(name="list")
@click.option("--organization", metavar="ID", help="Only this organization's own.")
@click.option(
    "--pool/--no-pool", default=None, help="Only those of the pool, or only those of organizations."
)
@click.option("--alias", help="Only those of this alias.")
@common_options
def list_templates(
    organization: str | None, pool: bool | None, alias: str | None, as_json: bool, data: str | None
) -> None:
    """List the templates with the version that is sent."""
    wanted = TemplateFilter(organization_id=organization, pool=pool, alias=alias)
    rows = administer(data, lambda use: all_rows(lambda page: use.templates.list(wanted, page)))
    columns = ("templateId", "organizationId", "alias", "name", "version", "versions", "variables")
    show_list(rows, columns, as_json)


@templates.command()
@click.argument("template_id", type=int)
@common_options
def get(template_id: int, as_json: bool, data: str | None) -> None:
    """Show a template with the text that is sent."""
    show(administer(data, lambda use: use.templates.get(template_id)), as_json)


@templates.command()
@click.argument("alias")
@click.option("--name", required=True, help="For people.")
@click.option("--body", help=BODY_HELP)
@click.option("--file", type=click.Path(path_type=Path, allow_dash=True), help=FILE_HELP)
@click.option("--organization", metavar="ID", help="The organization that owns it.  [default: the pool]")
@common_options
def create(
    alias: str,
    name: str,
    body: str | None,
    file: Path | None,
    organization: str | None,
    as_json: bool,
    data: str | None,
) -> None:
    """Create a template with its first version."""
    command = CreateTemplate(alias=alias, name=name, body=_text(body, file), organization_id=organization)
    show(administer(data, lambda use: use.templates.create(command)), as_json)


@templates.command()
@click.argument("template_id", type=int)
@click.option("--alias", help="How sends name it.")
@click.option("--name", help="For people.")
@click.option("--version", type=int, help="The version to send from now on.")
@common_options
def change(
    template_id: int,
    alias: str | None,
    name: str | None,
    version: int | None,
    as_json: bool,
    data: str | None,
) -> None:
    """Change what is given; --version goes back to an earlier version."""
    command = ChangeTemplate(**given(alias=alias, name=name, version=version))
    show(administer(data, lambda use: use.templates.change(template_id, command)), as_json)


@templates.command()
@click.argument("template_id", type=int)
@common_options
def versions(template_id: int, as_json: bool, data: str | None) -> None:
    """List a template's versions, newest first."""
    rows = administer(data, lambda use: all_rows(lambda page: use.templates.versions(template_id, page)))
    show_list(rows, ("version", "sent", "createdAt", "variables", "body"), as_json)


@templates.command()
@click.argument("template_id", type=int)
@click.option("--body", help=BODY_HELP)
@click.option("--file", type=click.Path(path_type=Path, allow_dash=True), help=FILE_HELP)
@click.option("--send/--no-send", default=True, help="Whether it is sent from now on.")
@common_options
def add_version(
    template_id: int, body: str | None, file: Path | None, send: bool, as_json: bool, data: str | None
) -> None:
    """Add a version to a template."""
    command = CreateVersion(body=_text(body, file), send=send)
    show(administer(data, lambda use: use.templates.add_version(template_id, command)), as_json)


def _text(body: str | None, file: Path | None) -> str:
    if (body is None) == (file is None):
        raise BodyMissing
    if file is None:
        return body or ""
    try:
        read = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BodyUnreadable(path=file, reason=reason) from None
    # A file ends with a line end that nobody means to send.
    return read.removesuffix("\n").removesuffix("\r")
