"""The administration's tables in PostgreSQL: one store a resource, on the ports of `application/admin/`.

They write; the directory, which reads the same tables for sending, keeps what it read in memory and sees changes
by `directory_version`. One lock makes changes follow each other, so that what is checked still holds when it is stored.
"""

from .approvals import PostgresApprovals
from .keys import PostgresKeys
from .organizations import PostgresOrganizations
from .senders import PostgresSenders
from .templates import PostgresTemplates

__all__ = [
    "PostgresApprovals",
    "PostgresKeys",
    "PostgresOrganizations",
    "PostgresSenders",
    "PostgresTemplates",
]
