"""That a read model lacks what the ledger has already, for those who cannot do with less. It waits for nothing."""

from smsledger.domain.errors import LedgerError


class ConversationsBehind(LedgerError):
    """What was sent last cannot be told for sure."""

    message = "the read model of the messages has not come to position {position}"
