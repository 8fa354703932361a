"""Segment counting at every boundary of 3GPP TS 23.040, and against packing one character at a time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsledger.domain.segments import Encoding, Segments, count_segments, forcing_characters

EXTENSION = "\f^{}\\[~]|€"
CHARACTERS = "aé@Δ\r\n" + EXTENSION + "`çд中\u0301\u200d😀𠮷"


def count_and_units(body: str) -> tuple[int, int]:
    segments = count_segments(body)
    return segments.count, segments.units


@pytest.mark.parametrize(
    ("septets", "count"),
    [
        *((0, 1), (1, 1), (152, 1), (153, 1), (154, 1), (159, 1), (160, 1)),
        *((161, 2), (305, 2), (306, 2), (307, 3), (458, 3), (459, 3), (460, 4)),
        *((153 * 255, 255), (153 * 255 + 1, 256)),
    ],
)
def test_gsm_7_takes_160_septets_alone_and_153_a_part(septets: int, count: int) -> None:
    assert count_segments("a" * septets) == Segments(Encoding.GSM_7, count, septets, ())


@pytest.mark.parametrize(
    ("units", "count"),
    [
        *((1, 1), (66, 1), (67, 1), (68, 1), (69, 1), (70, 1)),
        *((71, 2), (133, 2), (134, 2), (135, 3), (200, 3), (201, 3), (202, 4)),
        *((67 * 255, 255), (67 * 255 + 1, 256)),
    ],
)
def test_ucs_2_takes_70_units_alone_and_67_a_part(units: int, count: int) -> None:
    assert count_segments("д" * units) == Segments(Encoding.UCS_2, count, units, ("д",))


@pytest.mark.parametrize("character", EXTENSION)
def test_an_extension_character_takes_two_septets(character: str) -> None:
    assert count_segments(character) == Segments(Encoding.GSM_7, 1, 2, ())


@pytest.mark.parametrize(
    ("before", "after", "count", "units"),
    [
        (157, 0, 1, 159),
        (158, 0, 1, 160),  # fits at the very end of a single message
        (159, 0, 2, 161),
        (151, 153, 2, 306),  # ends with the first part
        (152, 151, 2, 305),  # lies across the cut: the first part ends one septet early …
        (152, 152, 3, 306),  # … and that septet is what the last part lacks
        (153, 151, 2, 306),  # begins the second part
        (304, 0, 2, 306),
        (305, 0, 3, 307),
        (304, 153, 3, 459),
        (305, 151, 3, 458),
        (305, 152, 4, 459),
    ],
)
def test_an_escape_is_never_split_over_two_parts(before: int, after: int, count: int, units: int) -> None:
    assert count_and_units("a" * before + "€" + "a" * after) == (count, units)


def test_each_part_of_nothing_but_extension_characters_leaves_a_septet_unused() -> None:
    assert count_and_units("]" * 80) == (1, 160)
    assert count_and_units("]" * 81) == (2, 162)
    assert count_and_units("]" * 152) == (2, 304)
    assert count_and_units("]" * 153) == (3, 306)


@pytest.mark.parametrize(
    ("before", "after", "count", "units"),
    [
        (68, 0, 1, 70),  # fits at the very end of a single message
        (69, 0, 2, 71),
        (65, 67, 2, 134),  # ends with the first part
        (66, 65, 2, 133),  # lies across the cut: the first part ends one unit early …
        (66, 66, 3, 134),  # … and that unit is what the last part lacks
        (67, 65, 2, 134),  # begins the second part
        (132, 0, 2, 134),
        (133, 0, 3, 135),
        (132, 67, 3, 201),
        (133, 65, 3, 200),
        (133, 66, 4, 201),
    ],
)
def test_a_surrogate_pair_is_never_split_over_two_parts(
    before: int, after: int, count: int, units: int
) -> None:
    assert count_and_units("д" * before + "😀" + "д" * after) == (count, units)


def test_each_part_of_nothing_but_emoji_leaves_a_unit_unused() -> None:
    assert count_and_units("😀" * 35) == (1, 70)
    assert count_and_units("😀" * 36) == (2, 72)
    assert count_and_units("😀" * 66) == (2, 132)
    assert count_and_units("😀" * 67) == (3, 134)


def test_an_extension_character_takes_one_unit_once_the_body_is_ucs_2() -> None:
    assert count_segments("€" * 69 + "д") == Segments(Encoding.UCS_2, 1, 70, ("д",))


def test_an_empty_body_is_one_gsm_7_segment() -> None:
    assert count_segments("") == Segments(Encoding.GSM_7, 1, 0, ())


def test_a_line_end_of_two_characters_takes_two_septets() -> None:
    assert count_and_units("\r\n" * 80) == (1, 160)
    assert count_and_units("\r\n" * 80 + "\n") == (2, 161)


def test_the_place_of_a_forcing_character_is_its_first_in_code_points() -> None:
    found = forcing_characters("Grüße \u2019 😀 中\u2019 😀 中")
    assert [(one.character, one.code_point, one.index) for one in found] == [
        ("\u2019", "U+2019", 6),
        ("😀", "U+1F600", 8),
        ("中", "U+4E2D", 10),
    ]
    assert forcing_characters("Grüße [x]") == ()


def test_the_forcing_characters_are_named_once_each_in_order_of_appearance() -> None:
    assert count_segments("Grüße \u2019 [x] 中\u2019 😀 中").forcing == ("\u2019", "中", "😀")


def test_a_combining_mark_forces_ucs_2_without_its_letter() -> None:
    assert count_segments("cafe\u0301").forcing == ("\u0301",)
    assert count_segments("caf\u00e9").forcing == ()


@pytest.mark.parametrize(
    "character", ["`", "ç", "\t", "\x1b", "\x00", "\xa0", "\u2019", "\u0391", "\u2126", "\ufeff"]
)
def test_a_lookalike_or_control_character_is_not_gsm_7(character: str) -> None:
    assert count_segments(character) == Segments(Encoding.UCS_2, 1, 1, (character,))


def test_a_surrogate_without_its_partner_takes_one_unit() -> None:
    assert count_and_units("\ud83d") == (1, 1)
    assert count_and_units("a" * 66 + "\ud83d" + "a" * 67) == (2, 134)
    assert count_and_units("a" * 67 + "\ude00" + "a" * 66) == (2, 134)


def test_the_result_cannot_be_changed_and_reads_as_plain_json() -> None:
    segments = count_segments("д")
    with pytest.raises(AttributeError):
        segments.count = 2  # type: ignore[misc]  # what the test is about
    encoded = msgspec.json.encode(segments)
    assert encoded == '{"encoding":"UCS_2","count":1,"units":1,"forcing":["д"]}'.encode()
    assert msgspec.json.decode(encoded, type=Segments) == segments


def packed_one_by_one(sizes: list[int], single_max: int, part_max: int) -> int:
    if sum(sizes) <= single_max:
        return 1
    parts, used = 0, part_max  # no part is open yet: the first character opens one
    for size in sizes:
        if used + size > part_max:
            parts, used = parts + 1, 0
        used += size
    return parts


PIECE = st.tuples(st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=3), st.integers(1, 90))


@given(st.lists(PIECE, max_size=6))
def test_any_body_counts_as_if_packed_one_character_at_a_time(pieces: list[tuple[str, int]]) -> None:
    body = "".join(text * times for text, times in pieces)
    segments = count_segments(body)
    if segments.encoding is Encoding.GSM_7:
        expected = packed_one_by_one([1 + (character in EXTENSION) for character in body], 160, 153)
    else:
        expected = packed_one_by_one([1 + (character > "\uffff") for character in body], 70, 67)
    assert segments.count == expected


@given(st.text(), st.text())
def test_a_longer_body_never_takes_less(body: str, more: str) -> None:
    shorter, longer = count_segments(body), count_segments(body + more)
    assert longer.count >= shorter.count
    assert set(longer.forcing) >= set(shorter.forcing)
