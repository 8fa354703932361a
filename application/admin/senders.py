"""Senders: the numbers and names that messages go out from, of the pool or of one organization, per country."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from smsledger.application.accept import InvalidField
from smsledger.domain.errors import LedgerError
from smsledger.domain.phone_number import InvalidPhoneNumber, PhoneNumber

from .listing import Listed, ListPage
from .organizations import check_organization

# As networks show them (GSM 03.38, TP-Originating-Address): a name without a letter would pass for a number.
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9 &_.-]{0,9}[A-Za-z0-9])?")
SENDER_SHOWN_MAX = 20
"""Characters of an unknown sender that are said back."""


class SenderDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A sender for one country. Of the pool, where it is no organization's."""

    sender: str
    country: str
    organization_id: str | None
    created_at: datetime


class AddSender(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A sender for the messages to one country; a sender may be added for several."""

    sender: str
    country: str
    organization_id: str | None = None
    accept_country_mismatch: bool = False
    """Use a number for a country that is not its own."""


class SenderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which senders to list; None: all."""

    organization_id: str | None = None
    pool: bool | None = None
    country: str | None = None


class NumberingPlans(Protocol):
    """Knows phone numbers and countries."""

    def parse(self, value: str) -> PhoneNumber:
        """The number in `value`. Raises InvalidPhoneNumber."""
        ...

    def has_country(self, country: str) -> bool:
        """Whether `country` is an ISO 3166-1 alpha-2 code with phone numbers."""
        ...


class SenderStore(Protocol):
    """Keeps senders."""

    async def insert_sender(self, detail: SenderDetail) -> None:
        """Store it. Raises OrganizationNotFound, SenderExists, and SenderTaken where it is another's for any country."""
        ...

    async def delete_sender(self, sender: str, country: str | None) -> int:
        """Remove it for one country (None: for all); how many rows that were."""
        ...

    async def senders(self, wanted: SenderFilter, page: ListPage) -> Listed[SenderDetail]:
        """By country and name."""
        ...


class Senders:
    """The use cases."""

    def __init__(
        self, store: SenderStore, numbering_plans: NumberingPlans, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._plans = numbering_plans
        self._clock = clock

    async def add(self, command: AddSender) -> SenderDetail:
        """Raises InvalidField, OrganizationNotFound, SenderExists and SenderTaken."""
        self._check_country(command.country)
        if command.sender.startswith("+"):
            self._check_number(command)
        elif not _SENDER_ID.fullmatch(command.sender):
            raise InvalidField(
                field="sender",
                problem="expected a number in E.164 format, or a name of 1 to 11 characters with at least one "
                "letter: letters, digits, and between them spaces and & _ . -",
            )
        check_organization(command.organization_id)
        detail = SenderDetail(command.sender, command.country, command.organization_id, self._clock())
        await self._store.insert_sender(detail)
        return detail

    async def remove(self, sender: str, country: str | None = None) -> None:
        """For one country, or for all. What was sent from it keeps it. Raises InvalidField and SenderNotFound."""
        if country is not None:
            self._check_country(country)
        if "\x00" in sender or not await self._store.delete_sender(sender, country):
            shown = sender[:SENDER_SHOWN_MAX]
            if country is not None:
                raise SenderNotFoundFor(sender=shown, country=country)
            raise SenderNotFound(sender=shown)

    async def list(self, wanted: SenderFilter, page: ListPage) -> Listed[SenderDetail]:
        """By country and name. Raises InvalidField, InvalidCursor and OrganizationNotFound."""
        if wanted.country is not None:
            self._check_country(wanted.country)
        check_organization(wanted.organization_id)
        return await self._store.senders(wanted, page)

    def _check_country(self, country: str) -> None:
        if not self._plans.has_country(country):
            raise InvalidField(
                field="country",
                problem="expected the ISO 3166-1 alpha-2 code of a country, in capitals, such as US",
            )

    def _check_number(self, command: AddSender) -> None:
        try:
            number = self._plans.parse(command.sender)
        except InvalidPhoneNumber as error:
            raise InvalidField(field="sender", problem=str(error)) from None
        if number.country != command.country and not command.accept_country_mismatch:
            raise InvalidField(
                field="country",
                problem=f"the number is of {number.country}, not of {command.country}: correct one of them, "
                "or say acceptCountryMismatch (--accept-country-mismatch) to send to that country from it all the same",
            )


class SenderExists(LedgerError):
    """It is there already."""

    message = "sender: `{sender}` is a sender for {country} already"


class SenderTaken(LedgerError):
    """A sender belongs to the pool or to one organization, for whichever country."""

    message = "sender: `{sender}` belongs to {owner}: remove it there first"


class SenderNotFound(LedgerError):
    """No such sender."""

    message = "sender: there is no sender `{sender}`"


class SenderNotFoundFor(SenderNotFound):
    """It is no sender for this country, though it may be one for others."""

    message = "sender: there is no sender `{sender}` for {country}"
