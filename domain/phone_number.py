"""What a phone number is in the ledger: one E.164 text, its country and its country calling code.

It is not a parser: which texts are valid is the numbering plans' business, see `adapters/phone_numbers.py`.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from smsledger.domain.errors import LedgerError

E164_DIGITS_MAX = 15
"""ITU-T E.164, section 6.2.1: country calling code and national number together."""


class PhoneNumber(msgspec.Struct, frozen=True, gc=False):
    """A valid number in its one canonical form."""

    e164: str
    """`+`, country calling code, national number: at most 15 ASCII digits. Equal numbers have equal texts."""
    country: str
    """ISO 3166-1 alpha-2; `001` for codes that belong to no country (+800, +870, +883, …)."""
    calling_code: int


class PhoneNumberProblem(StrEnum):
    """Why a text is not a phone number. None of them repeats the text: it may be a person's number."""

    NO_PLUS = "no leading plus"
    NOT_DIGITS = "not digits"
    TOO_LONG = "too long"
    UNKNOWN_CALLING_CODE = "unknown country calling code"
    NOT_VALID = "not a valid number for its country"
    NOT_CANONICAL = "its E.164 form differs, as with a national prefix after the country calling code"


class InvalidPhoneNumber(LedgerError):
    """The value is not a phone number; `details["reason"]` is a `PhoneNumberProblem`. Safe to log."""

    message: ClassVar[str] = (
        "the value is not a phone number in E.164 format ({reason}): "
        "write + followed by country code and number, digits only"
    )
