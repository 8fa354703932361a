"""The segment counter against npm `sms-segments-calculator`, which a carrier publishes for its customers.

The two differ in one thing. The calculator packs grapheme clusters and keeps each whole; TS 23.040
§9.2.3.24.1 keeps "a UCS2 character" whole, so a part may end between a letter and the combining mark after
it, or inside a joined emoji. Every body is therefore compared with the calculator's own packing over code
points, without exception, and with its published answer wherever no cut falls inside a cluster. The tests
at the end show what each says where one does. In `forcing` we name code points, the calculator clusters.
"""

import itertools
import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsledger.domain.segments import Encoding, count_segments
from tests.clients.node import node_project

BASIC = "@£$èéÇØøÅΔ_ΦΩΞÆßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà\r\n"
EXTENSION = "\f^{}\\[~]|€"
BEYOND_BMP = "😀🤟🎉𝒜𠮷"
BEYOND_GSM_7 = "`çáíóú\t\x1b\xa0\u2019\u2014\u2026Ωżдשع中日한ก\ufeff\u200b"
# Marks, joiners, skin tones, flags, jamo and vowel signs: what makes clusters of more than one code point.
CLUSTERING = (
    "\u0301\u0308\u20e3\u200d\ufe0f\U0001f3fd\U0001f1e9\U0001f1ea\u1100\u1161\u11a8\u0e33\u0903\u0600"
)


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What oracle.mjs says of one body."""

    encoding: str
    units: int
    count: int
    count_by_code_point: int
    cuts_a_grapheme: bool = msgspec.field(name="cutsAGrapheme")
    forcing: list[str]


Oracle = Callable[[list[str]], list[Answer]]


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """One node process for all the tests of a session."""
    with node_project("segments").conversation("oracle.mjs") as conversation:

        def ask(bodies: list[str]) -> list[Answer]:
            answers = msgspec.json.decode(conversation.ask(json.dumps(bodies)), type=list[Answer])
            assert len(answers) == len(bodies)
            return answers

        yield ask


def agree(bodies: list[str], oracle: Oracle) -> None:
    for body, theirs in zip(bodies, oracle(bodies), strict=True):
        ours = count_segments(body)
        assert (ours.encoding.replace("_", "-"), ours.units) == (theirs.encoding, theirs.units), ascii(body)
        assert ours.count == theirs.count_by_code_point, ascii(body)
        assert theirs.cuts_a_grapheme or ours.count == theirs.count, ascii(body)
        if ours.encoding is Encoding.UCS_2:
            clusters = "".join(theirs.forcing)
            assert set(ours.forcing) <= set(clusters), ascii(body)
            assert all(set(cluster) & set(ours.forcing) for cluster in theirs.forcing), ascii(body)


def runs(characters: str) -> st.SearchStrategy[str]:
    """Bodies of repeated pieces: long enough to have several parts, simple enough to shrink."""
    piece = st.tuples(st.text(st.sampled_from(characters), min_size=1, max_size=4), st.integers(1, 80))
    return st.lists(piece, max_size=6).map(lambda pieces: "".join(text * times for text, times in pieces))


def test_every_character_of_the_basic_plane_is_classed_as_the_oracle_does(oracle: Oracle) -> None:
    surrogates = range(0xD800, 0xE000)
    agree([chr(code) for code in range(0x10000) if code not in surrogates], oracle)


def test_an_empty_body_counts_as_the_oracle_counts_it(oracle: Oracle) -> None:
    assert oracle([""])[0].count == count_segments("").count == 1


@pytest.mark.parametrize(
    ("filler", "odd"), [("a", "€"), ("a", "\r\n"), ("é", "[]"), ("д", "😀"), ("😀", "д"), ("|", "x")]
)
def test_every_place_around_every_boundary_counts_as_the_oracle_counts_it(
    oracle: Oracle, filler: str, odd: str
) -> None:
    """Another kind of character before, on and after each cut, then enough to reach the next ones."""
    before = itertools.chain(
        *(range(boundary - 5, boundary + 4) for boundary in (67, 70, 134, 153, 160, 306))
    )
    after = (0, 1, 2, 66, 67, 133, 152, 153)
    agree([filler * head + odd + filler * tail for head, tail in itertools.product(before, after)], oracle)


@given(body=runs(BASIC + EXTENSION))
@settings(max_examples=150, deadline=None)
def test_gsm_7_bodies_count_as_the_oracle_counts_them(oracle: Oracle, body: str) -> None:
    agree([body], oracle)


@given(body=runs(BASIC + EXTENSION + BEYOND_GSM_7 + BEYOND_BMP))
@settings(max_examples=150, deadline=None)
def test_mixed_bodies_count_as_the_oracle_counts_them(oracle: Oracle, body: str) -> None:
    agree([body], oracle)


@given(body=runs("a|\r\n" + BEYOND_BMP + CLUSTERING))
@settings(max_examples=150, deadline=None)
def test_bodies_with_clusters_count_as_the_oracle_counts_their_code_points(oracle: Oracle, body: str) -> None:
    agree([body], oracle)


@given(body=st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_text_counts_as_the_oracle_counts_it(oracle: Oracle, body: str) -> None:
    agree([body], oracle)


def test_a_part_may_end_before_a_combining_mark_where_the_oracle_keeps_the_cluster(oracle: Oracle) -> None:
    """66 + (1 | 1) + 66: two full parts by the standard, three when the letter and its mark stay together."""
    body = "x" * 66 + "e\u0301" + "x" * 66
    (theirs,) = oracle([body])
    assert (theirs.count, theirs.count_by_code_point, theirs.cuts_a_grapheme) == (3, 2, True)
    assert (count_segments(body).count, count_segments(body).units) == (2, 134)


def test_a_part_may_end_inside_a_joined_emoji_where_the_oracle_keeps_the_cluster(oracle: Oracle) -> None:
    family = "👨\u200d👩\u200d👧"  # 8 units, pairs at 0, 3 and 6
    body = "x" * 62 + family + "x" * 64
    (theirs,) = oracle([body])
    assert (theirs.count, theirs.count_by_code_point, theirs.cuts_a_grapheme) == (3, 2, True)
    assert (count_segments(body).count, count_segments(body).units) == (2, 134)


def test_a_cluster_larger_than_a_part_is_cut_where_the_oracle_overfills_one(oracle: Oracle) -> None:
    """One letter under 200 marks is 201 units, three parts; the oracle has one empty and one overfull."""
    body = "e" + "\u0301" * 200
    (theirs,) = oracle([body])
    assert (theirs.count, theirs.count_by_code_point, theirs.cuts_a_grapheme) == (2, 3, True)
    assert (count_segments(body).count, count_segments(body).units) == (3, 201)


def test_the_mark_alone_is_named_where_the_oracle_names_the_cluster(oracle: Oracle) -> None:
    assert oracle(["e\u0301"])[0].forcing == ["e\u0301"]
    assert count_segments("e\u0301").forcing == ("\u0301",)
