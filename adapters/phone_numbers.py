"""Parsing of strict E.164 phone numbers, as the `phonenumbers` package decides it, in a microsecond or two.

One regular expression per calling code and length is put together from the metadata that the package ships.
What it matches is a valid number, and the group that took part names the country. What it does not match is
not refused yet: the package itself decides, and a refusal costs what the package costs (tens of µs).
So these expressions may miss a valid number, but must never accept anything else.

The valid numbers they miss are those that the package might rewrite while it parses: they begin with what
reads as a national prefix or carrier code, and either the rest could be a number too or the plan has a
transform rule. They are few (some premium and toll-free numbers of Brazil and Japan, some of Argentina): a
test shows for every country that its mobile numbers are not among them.

It is not a reader of what people type: spaces, punctuation, extensions and national formats are refused.
"""

import re
from collections.abc import Callable, Iterable
from typing import ClassVar

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumberFormat
from phonenumbers.phonemetadata import PhoneNumberDesc

from smsledger.domain.errors import LedgerError
from smsledger.domain.phone_number import E164_DIGITS_MAX, InvalidPhoneNumber, PhoneNumber, PhoneNumberProblem

_Matcher = Callable[[str], re.Match[str] | None]

_NOTHING = "(?!)"
_CALLING_CODE_DIGITS_MAX = 3
_KEY_LENGTH = len("+") + _CALLING_CODE_DIGITS_MAX
_LENGTH_MAX = len("+") + E164_DIGITS_MAX
_CAPTURING = re.compile(r"\((?!\?)")
_never: _Matcher = re.compile(_NOTHING).fullmatch


class UnknownCallingCode(LedgerError):
    """A calling code was named that no numbering plan has."""

    message: ClassVar[str] = (
        "{calling_code} is not a country calling code: write 44 for numbers that begin with +44"
    )


class E164Numbers:
    """Parses E.164 texts. One instance serves a process; expressions are compiled when first needed."""

    def __init__(self) -> None:
        # Every way in which a plus and three digits can begin a number: under 1,000 keys, one look-up.
        self._plans: dict[str, _NumberingPlan] = {}
        for calling_code, countries in COUNTRY_CODE_TO_REGION_CODE.items():
            plan = _NumberingPlan(calling_code, countries)
            first = calling_code
            after = calling_code + 1
            while first < 10 ** (_CALLING_CODE_DIGITS_MAX - 1):
                first, after = first * 10, after * 10
            self._plans.update((f"+{digits}", plan) for digits in range(first, after))

    def parse(self, value: str) -> PhoneNumber:
        """The number that `value` is, in E.164 as it stands.

        Raises InvalidPhoneNumber, with the reason and without the text.
        """
        number = self.match(value)
        return number if number is not None else _as_the_package_decides(value)

    def match(self, value: str) -> PhoneNumber | None:
        """The number, if the expressions alone can tell that it is one. None leaves open whether it is."""
        plan = self._plans.get(value[:_KEY_LENGTH])
        if plan is None:
            return None
        matcher = plan.matchers.get(len(value)) or plan.compile(len(value))
        match = matcher(value)
        if match is None:
            return None
        return PhoneNumber(value, plan.countries[match.lastindex or 0], plan.calling_code)

    def has_country(self, country: str) -> bool:
        """Whether `country` is an ISO 3166-1 alpha-2 code that has a numbering plan."""
        return country in phonenumbers.SUPPORTED_REGIONS

    def warm(self, calling_codes: Iterable[int]) -> None:
        """Compile the expressions of these calling codes now, so that no first number waits for them.

        Raises UnknownCallingCode.
        """
        for calling_code in calling_codes:
            plan = self._plans.get(f"+{calling_code}".ljust(_KEY_LENGTH, "0"))
            if plan is None or plan.calling_code != calling_code:
                raise UnknownCallingCode(calling_code=calling_code)
            for length in range(_KEY_LENGTH, _LENGTH_MAX + 1):
                if length not in plan.matchers:
                    plan.compile(length)


class _NumberingPlan:
    """One calling code: its countries in the package's order, and a matcher for each length of text."""

    __slots__ = ("calling_code", "countries", "matchers")

    def __init__(self, calling_code: int, countries: tuple[str, ...]) -> None:
        self.calling_code = calling_code
        # Read by the number of the group that matched, which counts from 1.
        self.countries = ("", *countries)
        self.matchers: dict[int, _Matcher] = {}

    def compile(self, length: int) -> _Matcher:
        """Build the matcher of texts of `length` characters, the plus included; at most 15 are kept."""
        if length > _LENGTH_MAX:
            return _never
        # Threads that meet here build the same matcher twice, and either may stay.
        matcher = self.matchers[length] = re.compile(self._expression(length), re.ASCII).fullmatch
        return matcher

    def _expression(self, length: int) -> str:
        code = self.calling_code
        digits = length - len(f"+{code}")
        plans = [PhoneMetadata.metadata_for_region_or_calling_code(code, c) for c in self.countries[1:]]
        # Parsing follows the prefixes of the first, the main country, also for numbers of the others.
        main = plans[0]
        if main is None:
            return _NOTHING
        # Only ASCII digits, and how many: said here, so that it does not hang on how the metadata is written.
        text = rf"\+{code}(?=\d{{{digits}}}\Z)"
        return f"{text}{_not_rewritten(main, code)}(?:{_valid_in_first_of(plans, digits)})"


def _not_rewritten(main: PhoneMetadata, calling_code: int) -> str:
    """An expression for: parsing surely leaves the national number as it is.

    Parsing strips (or transforms) a national prefix that the number begins with, but not if the number fits
    the plan's general pattern and would no longer fit it (`_maybe_strip_national_prefix_carrier_code`). It
    looks at lengths too, which is left out here: a number that only seems rewritten goes to the package.
    """
    if not main.national_prefix_for_parsing:
        return ""
    prefix = _uncaptured(main.national_prefix_for_parsing)
    # Some prefixes also match the empty text, which strips nothing: then the match ends right after the code.
    no_prefix = rf"(?!(?:{prefix})(?<!\+{calling_code}))"
    if main.national_prefix_transform_rule:
        return no_prefix
    general = _pattern(main.general_desc)
    return rf"(?:{no_prefix}|(?={general}\Z)(?!(?:{prefix}){general}\Z))"


def _valid_in_first_of(plans: list[PhoneMetadata | None], digits: int) -> str:
    """An expression for: valid in one of a calling code's countries, in a group for each.

    It belongs to the first country whose leading digits it has or, where a country names none, in which it is
    valid. Leading digits settle it: it is valid in that country or not at all (`region_code_for_number`).
    """
    expression = _NOTHING
    for metadata in reversed(plans):
        valid = f"({_valid(metadata, digits)})"
        if metadata is not None and metadata.leading_digits is not None:
            leading_digits = _uncaptured(metadata.leading_digits)
            expression = f"(?={leading_digits}){valid}|(?!{leading_digits})(?:{expression})"
        else:
            expression = f"{valid}|{expression}"
    return expression


def _valid(metadata: PhoneMetadata | None, digits: int) -> str:
    """An expression for: a valid number of this country, of whichever type (`_number_type_helper`)."""
    if metadata is None or not _has_length(metadata.general_desc, digits):
        return _NOTHING
    types = [
        metadata.mobile if not metadata.same_mobile_and_fixed_line_pattern else None,
        metadata.fixed_line,
        metadata.voip,
        metadata.toll_free,
        metadata.premium_rate,
        metadata.shared_cost,
        metadata.personal_number,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    ]
    patterns = dict.fromkeys(_pattern(kind) for kind in types if _has_length(kind, digits))
    return rf"(?={_pattern(metadata.general_desc)}\Z)(?:{'|'.join(patterns) or _NOTHING})"


def _has_length(kind: PhoneNumberDesc | None, digits: int) -> bool:
    return kind is not None and (not kind.possible_length or digits in kind.possible_length)


def _pattern(kind: PhoneNumberDesc | None) -> str:
    """The pattern of a type of number as one atom; a type without a pattern has no numbers."""
    if kind is None or not kind.national_number_pattern:
        return _NOTHING
    return f"(?:{_uncaptured(kind.national_number_pattern)})"


def _uncaptured(pattern: str) -> str:
    """The same pattern without groups of its own, which would shift the numbers of the countries' groups."""
    return _CAPTURING.sub("(?:", pattern)


def _as_the_package_decides(value: str) -> PhoneNumber:
    if not value.startswith("+"):
        raise InvalidPhoneNumber(reason=PhoneNumberProblem.NO_PLUS)
    digits = value[1:]
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidPhoneNumber(reason=PhoneNumberProblem.NOT_DIGITS)
    if len(digits) > E164_DIGITS_MAX:
        raise InvalidPhoneNumber(reason=PhoneNumberProblem.TOO_LONG)
    try:
        number = phonenumbers.parse(value, None)
    except NumberParseException as refusal:
        unknown_code = refusal.error_type == NumberParseException.INVALID_COUNTRY_CODE
        reason = PhoneNumberProblem.UNKNOWN_CALLING_CODE if unknown_code else PhoneNumberProblem.NOT_VALID
        raise InvalidPhoneNumber(reason=reason) from None
    country = phonenumbers.region_code_for_number(number)
    if country is None or number.country_code is None or not phonenumbers.is_valid_number(number):
        raise InvalidPhoneNumber(reason=PhoneNumberProblem.NOT_VALID)
    if phonenumbers.format_number(number, PhoneNumberFormat.E164) != value:
        raise InvalidPhoneNumber(reason=PhoneNumberProblem.NOT_CANONICAL)
    return PhoneNumber(value, country, number.country_code)
