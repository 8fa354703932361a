"""Joins the administration's use cases with PostgreSQL, for the API and for `smsledger admin`."""

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.administration import (
    PostgresApprovals,
    PostgresKeys,
    PostgresOrganizations,
    PostgresSenders,
    PostgresTemplates,
)
from smsledger.adapters.postgres.administration.store import Lend
from smsledger.adapters.templates import inspect_template
from smsledger.application.admin.administration import Administration
from smsledger.application.admin.approvals import Approvals
from smsledger.application.admin.keys import Keys
from smsledger.application.admin.organizations import Organizations
from smsledger.application.admin.senders import Senders
from smsledger.application.admin.templates import Templates
from smsledger.application.clock import system_clock


def open_administration(lend: Lend, numbers: E164Numbers) -> Administration:
    """The use cases on connections that `lend` lends, in autocommit mode."""
    return Administration(
        Organizations(PostgresOrganizations(lend), system_clock),
        Keys(PostgresKeys(lend), system_clock),
        Templates(PostgresTemplates(lend), inspect_template, system_clock),
        Approvals(PostgresApprovals(lend), system_clock),
        Senders(PostgresSenders(lend), numbers, system_clock),
    )
