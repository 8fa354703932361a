"""`smsledger admin organizations`."""

from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from smsledger.application.admin.keywords import KeywordChange
from smsledger.application.admin.organizations import (
    ChangeOrganization,
    CreateOrganization,
    RateLimitChange,
)
from smsledger.domain.errors import LedgerError

from .surface import administer, all_rows, common_options, given, show, show_list

SMS_HELP = "Whether it may send."
KEYWORDS_HELP = "JSON file with the keywords that change, as in the API."


class KeywordsUnreadable(LedgerError):
    """The file with keywords has none."""

    message = "--keywords: {reason}: expected a JSON object such as docs/admin.md shows"


@click.group()
def organizations() -> None:
    """Who may send: list, create, show and change organizations."""


@organizations.command(name="list")
@common_options
def list_organizations(as_json: bool, data: str | None) -> None:
    """List the organizations."""
    rows = administer(data, lambda use: all_rows(use.organizations.list))
    show_list(rows, ("organizationId", "name", "smsEnabled", "rateLimits", "createdAt"), as_json)


@organizations.command()
@click.argument("organization_id")
@common_options
def get(organization_id: str, as_json: bool, data: str | None) -> None:
    """Show an organization with its limits and keywords."""
    show(administer(data, lambda use: use.organizations.get(organization_id)), as_json)


def _limits_options(command: Any) -> Any:
    for name, what in (
        ("read", "GET /v1/sms/…"),
        ("batch", "POST /v1/sms/batch"),
        ("send", "POST /v1/sms"),
    ):
        command = click.option(
            f"--{name}-rate", type=int, metavar="N", help=f"{what} a second; 0: no limit."
        )(command)
    return command


@organizations.command()
@click.argument("organization_id")
@click.option("--name", required=True, help="For people.")
@click.option("--sms/--no-sms", default=True, help=SMS_HELP)
@_limits_options
@click.option("--keywords", type=click.Path(path_type=Path), help=KEYWORDS_HELP)
@common_options
def create(organization_id: str, as_json: bool, data: str | None, **options: Any) -> None:
    """Create an organization: 1 to 63 lower-case letters, digits and hyphens."""
    command = CreateOrganization(
        organization_id=organization_id,
        name=options["name"],
        sms_enabled=options["sms"],
        rate_limits=_limits(options),
        keywords=_keywords(options["keywords"]),
    )
    show(administer(data, lambda use: use.organizations.create(command)), as_json)


@organizations.command()
@click.argument("organization_id")
@click.option("--name", help="For people.")
@click.option("--sms/--no-sms", default=None, help=SMS_HELP)
@_limits_options
@click.option("--keywords", type=click.Path(path_type=Path), help=KEYWORDS_HELP)
@click.option("--default-rates", is_flag=True, help="Back to the default limits.")
@click.option("--default-keywords", is_flag=True, help="Back to the default keywords and replies.")
@common_options
def change(organization_id: str, as_json: bool, data: str | None, **options: Any) -> None:
    """Change what is given; the rest stays."""
    changes = given(name=options["name"], sms_enabled=options["sms"], keywords=_keywords(options["keywords"]))
    if limits := _limits(options):
        changes["rate_limits"] = limits
    changes |= {"rate_limits": None} if options["default_rates"] else {}
    changes |= {"keywords": None} if options["default_keywords"] else {}
    command = ChangeOrganization(**changes)
    show(administer(data, lambda use: use.organizations.change(organization_id, command)), as_json)


def _limits(options: dict[str, Any]) -> RateLimitChange | None:
    limits = given(send=options["send_rate"], batch=options["batch_rate"], read=options["read_rate"])
    return RateLimitChange(**limits) if limits else None


def _keywords(path: Path | None) -> KeywordChange | None:
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeywordChange)
    except OSError as error:
        raise KeywordsUnreadable(reason=f"{path} cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeywordsUnreadable(reason=error) from None
