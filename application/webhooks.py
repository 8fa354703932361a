"""Webhook endpoints: where an organization wants to be told what becomes of its messages, and what it wants to hear.

The registry only: checking, keeping, listing. Nothing is delivered here.
"""

import ipaddress
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from smsledger.domain.errors import LedgerError

from .accept import InvalidField
from .clock import Clock

URL_CHARACTERS_MAX = 2_000
DESCRIPTION_CHARACTERS_MAX = 255
ENDPOINTS_MAX = 100
"""Endpoints of one organization."""
SECRET_BYTES = 32
EVENT_SHOWN_MAX = 40
"""Characters of an unknown event's name that are said back."""

_SECRET_PREFIX = "whsec_"  # noqa: S105  # marks a secret, and is none
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(
    r"(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
"""A name of the DNS (RFC 1123, section 2.1; underscores occur), lower-cased."""


class WebhookEvent(StrEnum):
    """What an endpoint can ask to be told."""

    QUEUED = "sms.queued"
    SENDING = "sms.sending"
    SENT = "sms.sent"
    DELIVERED = "sms.delivered"
    FAILED = "sms.failed"
    UNDELIVERED = "sms.undelivered"
    BLOCKED = "sms.blocked"
    INBOUND = "sms.inbound"


_EVENTS = frozenset(WebhookEvent)


class WebhookEndpoint(msgspec.Struct, frozen=True):
    """An endpoint; never its secret, so that it can be shown and logged."""

    webhook_id: UUID
    organization_id: str
    url: str
    events: tuple[str, ...]
    description: str | None
    active: bool
    created_at: datetime
    updated_at: datetime


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client asks for."""

    url: str
    events: list[str]
    description: str | None = None
    active: bool = True


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client wants changed; what is left out stays."""

    url: str | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    """None removes it."""
    active: bool | UnsetType = UNSET


class WebhookEndpoints(Protocol):
    """Where endpoints are kept. Another organization's do not exist."""

    async def all_of(self, organization_id: str) -> Sequence[WebhookEndpoint]:
        """The organization's endpoints, newest first."""
        ...

    async def get(self, organization_id: str, webhook_id: UUID) -> WebhookEndpoint | None:
        """One endpoint."""
        ...

    async def add(self, endpoint: WebhookEndpoint, secret: bytes, endpoints_max: int) -> bool:
        """Keep a new one; False, and nothing is kept, where the organization has `endpoints_max` already."""
        ...

    async def change(
        self, organization_id: str, webhook_id: UUID, change: WebhookChange, at: datetime
    ) -> WebhookEndpoint | None:
        """Change one, in one step; as it is then."""
        ...

    async def remove(self, organization_id: str, webhook_id: UUID) -> bool:
        """Forget one; whether there was one."""
        ...


class Webhooks:
    """Manages the endpoints of organizations."""

    def __init__(
        self,
        endpoints: WebhookEndpoints,
        new_id: Callable[[], UUID],
        new_secret: Callable[[int], bytes],
        clock: Clock,
        *,
        allow_http: bool,
    ) -> None:
        """`new_secret`: that many random bytes; `allow_http`: URLs need not be https."""
        self._endpoints = endpoints
        self._new_id = new_id
        self._new_secret = new_secret
        self._clock = clock
        self._allow_http = allow_http

    async def all_of(self, organization_id: str) -> Sequence[WebhookEndpoint]:
        """The organization's endpoints, newest first: at most ENDPOINTS_MAX."""
        return await self._endpoints.all_of(organization_id)

    async def get(self, organization_id: str, webhook_id: UUID) -> WebhookEndpoint:
        """One endpoint. Raises WebhookNotFound."""
        return _found(await self._endpoints.get(organization_id, webhook_id))

    async def create(self, organization_id: str, wanted: NewWebhook) -> tuple[WebhookEndpoint, str]:
        """A new endpoint, and its secret, which is shown this once. Raises InvalidField and TooManyWebhooks."""
        self._check(wanted.url, wanted.events, wanted.description)
        secret, at = self._new_secret(SECRET_BYTES), self._clock()
        endpoint = WebhookEndpoint(
            self._new_id(),
            organization_id,
            wanted.url,
            tuple(wanted.events),
            wanted.description,
            wanted.active,
            at,
            at,
        )
        if not await self._endpoints.add(endpoint, secret, ENDPOINTS_MAX):
            raise TooManyWebhooks(endpoints_max=ENDPOINTS_MAX)
        return endpoint, render_secret(secret)

    async def change(self, organization_id: str, webhook_id: UUID, change: WebhookChange) -> WebhookEndpoint:
        """The endpoint as it is with the change. Raises InvalidField and WebhookNotFound."""
        self._check(change.url, change.events, change.description)
        if all(value is UNSET for value in msgspec.structs.astuple(change)):
            return await self.get(organization_id, webhook_id)
        return _found(await self._endpoints.change(organization_id, webhook_id, change, self._clock()))

    async def remove(self, organization_id: str, webhook_id: UUID) -> None:
        """Forget an endpoint. Raises WebhookNotFound."""
        if not await self._endpoints.remove(organization_id, webhook_id):
            raise WebhookNotFound

    def _check(
        self, url: str | UnsetType, events: list[str] | UnsetType, description: str | UnsetType | None
    ) -> None:
        if url is not UNSET:
            _check_url(url, allow_http=self._allow_http)
        if events is not UNSET:
            _check_events(events)
        if description:
            if len(description) > DESCRIPTION_CHARACTERS_MAX:
                raise InvalidField(
                    field="description", problem=f"expected at most {DESCRIPTION_CHARACTERS_MAX} characters"
                )
            if "\x00" in description:
                raise InvalidField(field="description", problem="the character U+0000 cannot be stored")


def render_secret(secret: bytes) -> str:
    """As clients are given it: Standard Webhooks, "Signature scheme", symmetric."""
    return _SECRET_PREFIX + b64encode(secret).decode()


def _found(endpoint: WebhookEndpoint | None) -> WebhookEndpoint:
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


def _check_url(url: str, *, allow_http: bool) -> None:
    problem = _url_problem(url, allow_http=allow_http)
    if problem:
        raise InvalidField(field="url", problem=problem)


def _url_problem(url: str, *, allow_http: bool) -> str | None:
    """What is wrong with a URL (RFC 3986); None: nothing. Never says the URL back, which may have a password."""
    if len(url) > URL_CHARACTERS_MAX:
        return f"expected at most {URL_CHARACTERS_MAX:,} characters"
    # Before it is taken apart, as that drops some characters in silence.
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        return (
            "expected an absolute URL such as https://example.com/webhooks, other characters percent-encoded"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the host or the port cannot be read"
    if parts.scheme not in ("https", "http") or not parts.netloc:
        return "expected an absolute URL that begins with https://"
    if parts.scheme == "http" and not allow_http:
        return "expected https:// (http:// is for development: the setting webhook_allow_http)"
    if "@" in parts.netloc:
        return "a user name or password cannot be part of it"
    if "#" in url:
        return "a fragment (#) cannot be part of it"
    if port == 0 or not _is_host(parts):
        return "the host or the port cannot be read"
    return None


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(host) is not None


def _check_events(events: Sequence[str]) -> None:
    if not events:
        raise InvalidField(field="events", problem=f"expected at least one of {', '.join(WebhookEvent)}")
    seen: set[str] = set()
    for place, event in enumerate(events):
        if event not in _EVENTS:
            raise InvalidField(
                field=f"events[{place}]",
                problem=f"`{event[:EVENT_SHOWN_MAX]}` is not an event; there are {', '.join(WebhookEvent)}",
            )
        if event in seen:
            raise InvalidField(field=f"events[{place}]", problem=f"{event} is there more than once")
        seen.add(event)


class WebhookNotFound(LedgerError):
    """No such endpoint, or another organization's: the answer is the same."""

    message = "webhook not found"


class TooManyWebhooks(LedgerError):
    """The organization has as many endpoints as it may."""

    message = "an organization can have {endpoints_max} webhooks: delete one first"
