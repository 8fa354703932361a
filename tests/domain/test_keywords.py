"""Keywords: the whole message, in any case, and nothing else."""

import pytest
from hypothesis import given, strategies

from smsledger.domain.keywords import DEFAULT_KEYWORDS, KeywordKind, Keywords, Said
from smsledger.domain.segments import count_segments


@pytest.mark.parametrize(
    ("body", "kind", "keyword"),
    [
        ("STOP", KeywordKind.OPT_OUT, "STOP"),
        ("stop", KeywordKind.OPT_OUT, "STOP"),
        ("  Stop\n", KeywordKind.OPT_OUT, "STOP"),
        ("STOP\x00", KeywordKind.OPT_OUT, "STOP"),
        ("STOP\N{REPLACEMENT CHARACTER}", KeywordKind.OPT_OUT, "STOP"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}stop\N{ZERO WIDTH SPACE} ", KeywordKind.OPT_OUT, "STOP"),
        ("STOP ALL", KeywordKind.OPT_OUT, "STOP ALL"),
        ("StopAll", KeywordKind.OPT_OUT, "STOPALL"),
        ("opt-out", KeywordKind.OPT_OUT, "OPT-OUT"),
        ("Arret", KeywordKind.OPT_OUT, "ARRET"),
        ("td", KeywordKind.OPT_OUT, "TD"),
        ("Start", KeywordKind.OPT_IN, "START"),
        ("unstop", KeywordKind.OPT_IN, "UNSTOP"),
        ("yes", KeywordKind.OPT_IN, "YES"),
        ("help", KeywordKind.HELP, "HELP"),
        ("INFO", KeywordKind.HELP, "INFO"),
    ],
)
def test_a_keyword_is_recognised(body: str, kind: KeywordKind, keyword: str) -> None:
    assert DEFAULT_KEYWORDS.said_in(body) == Said(kind, keyword)


@pytest.mark.parametrize(
    "body", ["STOP PLEASE", "PLEASE STOP", "STOP.", "STOP  ALL", "S T O P", "", "  ", "STOPPED", "yes please"]
)
def test_a_message_with_a_keyword_in_it_is_none(body: str) -> None:
    assert DEFAULT_KEYWORDS.said_in(body) is None


@given(strategies.text())
def test_any_text_is_looked_at_without_fault(body: str) -> None:
    said = DEFAULT_KEYWORDS.said_in(body)
    assert said is None or said.keyword.casefold() in body.casefold()


def test_the_lists_are_those_that_are_in_use() -> None:
    assert set(DEFAULT_KEYWORDS.opt_out) == {
        *("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
        *("OPT-OUT", "ARRET", "REMOVE", "TD"),
    }
    assert set(DEFAULT_KEYWORDS.opt_in) == {"START", "UNSTOP", "YES"}
    assert set(DEFAULT_KEYWORDS.help) == {"HELP", "INFO"}


def test_an_organization_has_its_own_words() -> None:
    keywords = Keywords(opt_out=("Abmelden",), opt_in=("Anmelden",), help=())
    assert keywords.said_in("ABMELDEN") == Said(KeywordKind.OPT_OUT, "Abmelden")
    assert keywords.said_in("STOP") is None
    assert keywords.said_in("HELP") is None


def test_a_word_in_several_lists_opts_out() -> None:
    assert Keywords(opt_out=("X",), opt_in=("X",), help=("X",)).said_in("x") == Said(KeywordKind.OPT_OUT, "X")


@pytest.mark.parametrize("kind", KeywordKind)
def test_a_reply_is_one_segment_and_no_keyword_itself(kind: KeywordKind) -> None:
    reply = DEFAULT_KEYWORDS.reply_to(kind)
    assert reply is not None
    assert count_segments(reply).count == 1
    assert DEFAULT_KEYWORDS.said_in(reply) is None


def test_a_reply_can_be_left_out() -> None:
    assert Keywords(help_reply=None).reply_to(KeywordKind.HELP) is None
