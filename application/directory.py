"""Who may send what as whom, as the use cases see it: organizations, keys, templates, senders. Read only.

Where it is kept and how it is cached is the adapter's business.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from smsledger.domain.errors import LedgerError
from smsledger.domain.keywords import DEFAULT_KEYWORDS, Keywords


class KeyKind(StrEnum):
    """What a key may do: send and read messages; everything of its organization; the whole installation."""

    SENDING = "SENDING"
    SERVER = "SERVER"
    ADMIN = "ADMIN"


class ApiKey(msgspec.Struct, frozen=True):
    """A key that was presented and found; never the key itself."""

    key_id: str
    organization_id: str
    kind: KeyKind
    expires_at: datetime | None


class CompiledTemplate(Protocol):
    """A template's body, ready to be rendered."""

    def render(self, model: Mapping[str, Any]) -> str:
        """The body for these variables; one that is null is missing. Raises MissingVariable and TemplateFailed."""
        ...


class Template(msgspec.Struct, frozen=True):
    """A template version that an organization can ask for."""

    template_id: int
    version: int
    alias: str
    approved: bool
    compiled: CompiledTemplate


class Sender(msgspec.Struct, frozen=True):
    """A number or sender ID to send from."""

    sender: str
    pooled: bool


class RateLimits(msgspec.Struct, frozen=True):
    """How many requests a second an organization may make, over all processes (seed "Rate Limits"); 0: no limit."""

    send: int = 100
    """`POST /v1/sms`."""
    batch: int = 10
    """`POST /v1/sms/batch`."""
    read: int = 100
    """`GET /v1/sms/…`."""


class Organization(msgspec.Struct, frozen=True):
    """An organization with everything that accepting its messages needs."""

    organization_id: str
    sms_enabled: bool
    templates_by_alias: Mapping[str, Template]
    """The organization's custom aliases before the pool's."""
    templates_by_id: Mapping[int, Template]
    senders: Mapping[str, tuple[Sender, ...]]
    """By country; the organization's own before the pool's."""
    keywords: Keywords = DEFAULT_KEYWORDS
    rate_limits: RateLimits = RateLimits()


class Directory(Protocol):
    """Looks things up; answers from memory on the hot path."""

    async def key(self, presented: str) -> ApiKey | None:
        """The key behind what a client presented; None where it is unknown, revoked or expired."""
        ...

    async def organization(self, organization_id: str) -> Organization:
        """The organization of a key. Raises OrganizationMissing."""
        ...


class KeyUses(Protocol):
    """Remembers when each key was last used."""

    def note(self, key_id: str) -> None:
        """It is used now. Costs next to nothing: it is called with each request."""
        ...


class OrganizationMissing(LedgerError):
    """A key belongs to an organization that is gone."""

    message = "no organization {organization_id}"


class MissingVariable(LedgerError):
    """The template needs a variable that the request does not give."""

    message = "templateModel: the template needs the variable `{variable}`"


class TemplateFailed(LedgerError):
    """The template cannot be rendered with these variables."""

    message = "templateModel: the template cannot be rendered ({reason})"
