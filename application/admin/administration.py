"""The administration's use cases together, as a surface is given them."""

import msgspec

from .approvals import Approvals
from .keys import Keys
from .organizations import Organizations
from .senders import Senders
from .templates import Templates


class Administration(msgspec.Struct, frozen=True):
    """What an operator may do."""

    organizations: Organizations
    keys: Keys
    templates: Templates
    approvals: Approvals
    senders: Senders
