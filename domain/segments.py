"""How many SMS segments a body takes, in which encoding, and which characters decided that.

The rules are those of 3GPP TS 23.038 (alphabets) and TS 23.040 §9.2.3.24.1 (concatenation, with the usual
header of six octets that carries an 8-bit reference). It is not an encoder: it packs no septets and cuts no
body into parts. It knows no national language shift tables, replaces no character by a cheaper one, and
sets no limit; TS 23.040 allows 255 segments at most, and a carrier usually fewer.
"""

import enum
import re
from collections.abc import Callable
from typing import Final

import msgspec

GSM_7_SINGLE_SEPTETS_MAX: Final = 160
GSM_7_PART_SEPTETS_MAX: Final = 153
UCS_2_SINGLE_UNITS_MAX: Final = 70
UCS_2_PART_UNITS_MAX: Final = 67


class Encoding(enum.StrEnum):
    """How a body is coded on the air (TS 23.038 §6.2.1 and §6.2.3). The values are stored in events."""

    GSM_7 = "GSM_7"
    UCS_2 = "UCS_2"


class Segments(msgspec.Struct, frozen=True, gc=False):
    """What a body costs. `count` is the number of messages billed, at least 1.

    `units` are septets under GSM-7 (an extension character takes two) and UTF-16 code units under UCS-2,
    without the concatenation headers and without the unit a part may leave unused. `forcing` names the
    distinct code points that GSM-7 cannot carry, in order of first appearance; it is empty under GSM-7.
    """

    encoding: Encoding
    count: int
    units: int
    forcing: tuple[str, ...]


# TS 23.038 §6.2.1, in code order; 0x1B, the escape to the extension table, is left out. 0x09 is the capital
# C with cedilla, as the specification's table draws it; Unicode's mapping file GSM0338.TXT has the small one.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# TS 23.038 §6.2.1.1, each sent as an escape and a second septet. The first is the page break.
_EXTENSION: Final = "\f^{}\\[~]|€"
_ESCAPE: Final = "\x1b"  # stands in no body counted as GSM-7, so it can mark the first septet of a pair

# Possessive, so that a body that does not match is not gone through a second time backwards.
_is_basic = re.compile(f"[{re.escape(_BASIC)}]*+").fullmatch
_is_gsm_7 = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*+").fullmatch
_with_escapes = re.compile(f"([{re.escape(_EXTENSION)}])").sub
_beyond_gsm_7 = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]").findall


def count_segments(body: str) -> Segments:
    """Count what `body` takes, exactly as it stands: nothing is trimmed, normalised or replaced.

    Never raises. An empty body is one GSM-7 segment of no septets, as npm `sms-segments-calculator` counts
    it: an empty message still takes a message to send. A surrogate without its partner counts as one unit.
    """
    # The usual body ends here after one scan in C; only what follows may look at parts.
    if _is_basic(body):
        septets = len(body)
        count = 1 if septets <= GSM_7_SINGLE_SEPTETS_MAX else -(-septets // GSM_7_PART_SEPTETS_MAX)
        return Segments(Encoding.GSM_7, count, septets, ())
    if _is_gsm_7(body):
        return _count_gsm_7(body)
    return _count_ucs_2(body)


class ForcingCharacter(msgspec.Struct, frozen=True, gc=False):
    """A character that GSM-7 cannot carry, and the place where it first stands, in code points from 0."""

    character: str
    index: int

    @property
    def code_point(self) -> str:
        """As Unicode writes it: `U+2019`."""
        return f"U+{ord(self.character):04X}"


def forcing_characters(body: str) -> tuple[ForcingCharacter, ...]:
    """The characters that make `body` UCS-2, each once, in order; empty where it is GSM-7. Never raises."""
    return tuple(ForcingCharacter(one, body.index(one)) for one in count_segments(body).forcing)


def _count_gsm_7(body: str) -> Segments:
    septets = _with_escapes(_ESCAPE + r"\1", body)

    def splits_an_escape(cut: int) -> bool:
        return septets[cut - 1] == _ESCAPE

    count = 1
    if len(septets) > GSM_7_SINGLE_SEPTETS_MAX:
        count = _count_parts(len(septets), GSM_7_PART_SEPTETS_MAX, splits_an_escape)
    return Segments(Encoding.GSM_7, count, len(septets), ())


def _count_ucs_2(body: str) -> Segments:
    octets = body.encode("utf-16-be", "surrogatepass")
    units = len(octets) // 2

    def splits_a_surrogate_pair(cut: int) -> bool:
        return octets[2 * cut - 2] & 0xFC == 0xD8 and octets[2 * cut] & 0xFC == 0xDC

    count = 1
    if units > UCS_2_SINGLE_UNITS_MAX:
        count = _count_parts(units, UCS_2_PART_UNITS_MAX, splits_a_surrogate_pair)
    distinct = "".join(dict.fromkeys(body))
    return Segments(Encoding.UCS_2, count, units, tuple(_beyond_gsm_7(distinct)))


def _count_parts(units: int, part_units_max: int, splits_a_character: Callable[[int], bool]) -> int:
    """Count parts as full as they can be, where a cut inside a character moves one unit back.

    TS 23.040 §9.2.3.24.1: "A character represented by an escape-sequence shall not be split in the middle."
    and "A UCS2 character shall not be split in the middle"; a surrogate pair is taken as one such
    character.
    """
    parts = cut = 0
    while cut < units:
        cut += part_units_max
        if cut < units and splits_a_character(cut):
            cut -= 1
        parts += 1
    return parts
