"""The command line, `smsledger`: one module a command group, loaded when it is used.

What the commands do is done elsewhere; here it is asked for and shown. An error made for people is one line on
stderr and an exit code, anything unexpected its traceback.
"""

import importlib
import os
import sys
from typing import Any

import rich_click as click

from smsledger.domain.errors import LedgerError

COMMANDS = {
    "up": "smsledger.runtime.cli.up:up",
    "api": "smsledger.runtime.cli.roles:api",
    "worker": "smsledger.runtime.cli.roles:worker",
    "simulator": "smsledger.runtime.cli.roles:simulator",
    "simulate": "smsledger.runtime.cli.simulate:simulate",
    "migrate": "smsledger.runtime.cli.roles:migrate",
    "demo": "smsledger.runtime.cli.roles:demo",
    "settings": "smsledger.runtime.cli.settings:settings",
    "timeline": "smsledger.runtime.cli.timeline:timeline",
    "tail": "smsledger.runtime.cli.tail:tail",
    "status": "smsledger.runtime.cli.status:status",
    "projections": "smsledger.runtime.cli.projections:projections",
    "admin": "smsledger.runtime.cli.admin:admin",
}
"""In the order of the help page."""


class LedgerGroup(click.RichGroup):
    """Loads a command's module when the command is named, and turns LedgerErrors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """See click."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """See click."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            click.echo(f"smsledger: {' '.join(str(error).split())}", err=True)
            ctx.exit(getattr(error, "exit_code", 1))
        except BrokenPipeError:
            # Whoever read our output has seen enough; Python would complain when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.group(
    cls=LedgerGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="smsledger", message="smsledger %(version)s")
def cli() -> None:
    """The event-sourced ledger for transactional SMS.

    `smsledger up` starts everything on this machine. The other commands look at a running ledger: the one that
    SMSLEDGER_POSTGRES_URL and SMSLEDGER_NATS_URL name, or else the one that `smsledger up` runs in the data folder.
    """


def main() -> None:
    """The program `smsledger`."""
    cli(prog_name="smsledger")
