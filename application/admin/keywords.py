"""Changes of an organization's keywords: which lists of words and which replies it may have instead of the defaults."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from smsledger.application.accept import SEGMENTS_MAX, InvalidField
from smsledger.domain.keywords import DEFAULT_KEYWORDS, Keywords
from smsledger.domain.segments import count_segments

KEYWORDS_MAX = 50
"""In one list."""
KEYWORD_CHARACTERS_MAX = 40

_LISTS = {"opt_out": "keywords.optOut", "opt_in": "keywords.optIn", "help": "keywords.help"}
_REPLIES = {
    "opt_out_reply": "keywords.optOutReply",
    "opt_in_reply": "keywords.optInReply",
    "help_reply": "keywords.helpReply",
}


class KeywordChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The lists and replies that change; the others stay. A reply that is None is not sent."""

    opt_out: tuple[str, ...] | UnsetType = UNSET
    opt_in: tuple[str, ...] | UnsetType = UNSET
    help: tuple[str, ...] | UnsetType = UNSET
    opt_out_reply: str | UnsetType | None = UNSET
    opt_in_reply: str | UnsetType | None = UNSET
    help_reply: str | UnsetType | None = UNSET


def changed_keywords(keywords: Keywords | None, change: KeywordChange | None) -> Keywords | None:
    """`keywords` after the change; None: the defaults, before and after. Raises InvalidField."""
    if change is None:
        return None
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    for name, words in given.items():
        if name in _LISTS:
            given[name] = tuple(_word(_LISTS[name], word) for word in words)
    changed: Keywords = msgspec.structs.replace(keywords or DEFAULT_KEYWORDS, **given)
    if not changed.opt_out:
        raise InvalidField(
            field="keywords.optOut", problem="expected at least one keyword: people must be able to opt out"
        )
    _check_lists(changed)
    for name, field in _REPLIES.items():
        reply = getattr(changed, name)
        if reply is not None:
            _check_reply(field, reply)
    return changed


def _word(field: str, word: str) -> str:
    word = " ".join(word.split())
    if not (0 < len(word) <= KEYWORD_CHARACTERS_MAX and word.isprintable()):
        raise InvalidField(
            field=field, problem=f"expected keywords of 1 to {KEYWORD_CHARACTERS_MAX} printable characters"
        )
    return word


def _check_lists(keywords: Keywords) -> None:
    seen: dict[str, str] = {}
    for name, field in _LISTS.items():
        words = getattr(keywords, name)
        if len(words) > KEYWORDS_MAX:
            raise InvalidField(field=field, problem=f"expected at most {KEYWORDS_MAX} keywords")
        for word in words:
            before = seen.setdefault(word.casefold(), field)
            if before != field or sum(other.casefold() == word.casefold() for other in words) > 1:
                raise InvalidField(
                    field=field, problem=f"`{word}` stands in {before} already: a keyword has one meaning"
                )


def _check_reply(field: str, reply: str) -> None:
    if not reply.strip() or any(_unsendable(reply)) or count_segments(reply).count > SEGMENTS_MAX:
        raise InvalidField(
            field=field,
            problem=f"expected a text of 1 to {SEGMENTS_MAX} segments without U+0000, or null for no reply",
        )


def _unsendable(reply: str) -> Iterator[bool]:
    return (character == "\x00" or "\ud800" <= character <= "\udfff" for character in reply)
