"""What a person can say in one word: no more messages, messages again, help. Which words these are, per organization.

It only recognises; what follows from a keyword is `consent.py`'s and `application/inbound.py`'s.
"""

from enum import StrEnum

import msgspec


class KeywordKind(StrEnum):
    """What a keyword asks for."""

    OPT_OUT = "OPT_OUT"
    OPT_IN = "OPT_IN"
    HELP = "HELP"


class Said(msgspec.Struct, frozen=True):
    """A keyword that was recognised, as it stands in its list."""

    kind: KeywordKind
    keyword: str


class Keywords(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An organization's keywords and the replies to them; a reply that is None is not sent.

    The words are those in use with carriers and other services.
    """

    opt_out: tuple[str, ...] = (
        *("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE"),
        *("OPTOUT", "OPT-OUT", "ARRET", "REMOVE", "TD"),
    )
    opt_in: tuple[str, ...] = ("START", "UNSTOP", "YES")
    help: tuple[str, ...] = ("HELP", "INFO")
    opt_out_reply: str | None = (
        "You are unsubscribed and will get no more messages from us. Reply START to get them again."
    )
    opt_in_reply: str | None = "You will get our messages again. Reply STOP to unsubscribe, HELP for help."
    help_reply: str | None = "Reply STOP to get no more messages from us, START to get them again."

    def said_in(self, body: str) -> Said | None:
        """The keyword that `body` is: the whole of it, in any case, blanks around it left out. Else None.

        Around it characters that nobody sees are blanks, too: phones and carriers add some to what was written.

        A word that stands in several lists opts out rather than in, and in rather than asks for help.
        """
        word = _bare(body).casefold()
        for kind, words in (
            (KeywordKind.OPT_OUT, self.opt_out),
            (KeywordKind.OPT_IN, self.opt_in),
            (KeywordKind.HELP, self.help),
        ):
            for keyword in words:
                if keyword.strip().casefold() == word:
                    return Said(kind, keyword)
        return None

    def reply_to(self, kind: KeywordKind) -> str | None:
        """What is answered to a keyword of this kind."""
        match kind:
            case KeywordKind.OPT_OUT:
                return self.opt_out_reply
            case KeywordKind.OPT_IN:
                return self.opt_in_reply
            case KeywordKind.HELP:
                return self.help_reply


def _bare(text: str) -> str:
    first, last = 0, len(text)
    while first < last and _is_unseen(text[first]):
        first += 1
    while last > first and _is_unseen(text[last - 1]):
        last -= 1
    return text[first:last]


def _is_unseen(character: str) -> bool:
    """U+FFFD stands where there was something that could not be read or stored, such as the filling of a GSM body."""
    return character.isspace() or not character.isprintable() or character == "\N{REPLACEMENT CHARACTER}"


DEFAULT_KEYWORDS = Keywords()
