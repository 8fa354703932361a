"""The names of the roles that a worker process can run. What a role does is in `application/` and `projections/`."""

from smsledger.domain.errors import LedgerError

ROLES = ("publisher", "projector", "dispatcher")

LOOPS = {
    "publisher": "publisher",
    "projector": "projector",
    "dispatcher": "dispatcher",
    "receipts": "dispatcher",
    "inbound": "dispatcher",
    "watchdog": "dispatcher",
}
"""Every loop that reports, and the role that runs it."""


class UnknownRole(LedgerError):
    """A worker was asked to run something that is no role."""

    message = "{role!r} is not a role: choose from {roles}"


def parse_roles(text: str) -> tuple[str, ...]:
    """The roles in a comma-separated list, each once. Raises UnknownRole."""
    roles = tuple(dict.fromkeys(role.strip() for role in text.split(",") if role.strip()))
    for role in roles or ("",):
        if role not in ROLES:
            raise UnknownRole(role=role, roles=", ".join(ROLES))
    return roles
