"""The one root of every error the ledger raises on purpose. HTTP statuses for them stand in `http/errors.py`, not here."""

from typing import ClassVar


class LedgerError(Exception):
    """Something was refused or could not be done; the message says what, and what to do about it.

    A subclass states its message once, as a format string over the keyword arguments it is raised with;
    the arguments stay readable as attributes of `details`.
    """

    message: ClassVar[str] = "the ledger could not do this"

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.message.format(**details))
