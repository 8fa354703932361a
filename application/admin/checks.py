"""What the administration asks of the texts that it is given. Every refusal names the field and what would be right."""

import re
from datetime import UTC, datetime

from smsledger.application.accept import InvalidField

NAME_CHARACTERS_MAX = 200
ORGANIZATION_ID_CHARACTERS_MAX = 63
_ORGANIZATION_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_organization_id(text: str) -> bool:
    """Whether it could be an organization's id (it is a token of a NATS subject)."""
    return _ORGANIZATION_ID.fullmatch(text) is not None


def check_organization_id(text: str) -> None:
    """Raises InvalidField."""
    if not is_organization_id(text):
        raise InvalidField(
            field="organizationId",
            problem=f"expected 1 to {ORGANIZATION_ID_CHARACTERS_MAX} lower-case letters, digits and hyphens, "
            "not beginning with a hyphen",
        )


def check_name(text: str) -> None:
    """A name for people. Raises InvalidField."""
    if not (0 < len(text) <= NAME_CHARACTERS_MAX and text.isprintable() and text.strip()):
        raise InvalidField(field="name", problem=f"expected 1 to {NAME_CHARACTERS_MAX} printable characters")


def check_alias(field: str, text: str) -> None:
    """A name of a template for programs. Raises InvalidField."""
    if not _ALIAS.fullmatch(text):
        raise InvalidField(
            field=field,
            problem="expected 1 to 100 ASCII letters, digits, hyphens, underscores and dots, "
            "beginning with a letter or digit",
        )


def read_moment(field: str, text: str) -> datetime:
    """A moment in ISO 8601, in UTC where no zone is given. Raises InvalidField."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidField(
            field=field, problem="expected an ISO 8601 date and time such as 2030-01-31T12:00:00Z"
        ) from None
