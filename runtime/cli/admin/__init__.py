"""`smsledger admin`: the administration on the command line, the same use cases as `/v1/admin`, without a key.

Whoever can reach the database may use it: it is how the first organization and the first ADMIN key are made.
"""

import rich_click as click

from .approvals import approvals_of, approve, withdraw
from .keys import keys
from .organizations import organizations
from .senders import senders
from .templates import templates


@click.group()
def admin() -> None:
    """Organizations, keys, templates and senders. Tables for people; --json for machines."""


for command in (approve, withdraw, approvals_of):
    templates.add_command(command)
for group in (organizations, keys, templates, senders):
    admin.add_command(group)
