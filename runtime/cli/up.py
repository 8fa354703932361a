"""`smsledger up`: the whole service on this machine, and what to paste next."""

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import msgspec
import rich_click as click

from smsledger.runtime.logs import configure_logging
from smsledger.runtime.ready_file import ReadyFile
from smsledger.runtime.settings import Settings, settings_from

EXAMPLE = {
    "to": "+14155551234",
    "templateAlias": "otp-verification",
    "templateModel": {"code": "123456"},
    "tag": "verification",
    "metadata": {"userId": "user_123"},
}
"""The request of the SMS API's own documentation."""


@click.command()
@click.option("--host", help="Address that the API listens on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port that the API listens on; 0 takes a free one.  [default: 8080]")
@click.option("--data", metavar="DIR", help="Folder for everything that is kept.  [default: .smsledger]")
@click.option("--api-workers", type=int, help="API processes behind the port.  [default: 1]")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Also write URL and keys to this JSON file once requests are served.")  # fmt: skip
@click.pass_context
def up(
    ctx: click.Context,
    host: str | None,
    port: int | None,
    data: str | None,
    api_workers: int | None,
    ready_file: Path | None,
) -> None:
    """Start the service on this machine: PostgreSQL, NATS, the carrier simulator, the workers and the API.

    Data survives in the data folder. PostgreSQL and NATS are not started where SMSLEDGER_POSTGRES_URL and
    SMSLEDGER_NATS_URL name some. Ctrl-C stops everything in order; a second one stops it at once.
    """
    # On one's own machine there is seldom a certificate.
    allow_http = None if "SMSLEDGER_WEBHOOK_ALLOW_HTTP" in os.environ else True
    settings = settings_from(
        os.environ,
        host=host,
        port=port,
        data_dir=data,
        api_workers=api_workers,
        webhook_allow_http=allow_http,
    )
    configure_logging(settings, "up")
    from smsledger.runtime.supervisor import Supervisor  # noqa: PLC0415  # after the settings were found usable

    def announce(ready: ReadyFile) -> None:
        click.echo("\n".join(_announcement(ready, settings)))

    supervisor = Supervisor(settings, ready_path=ready_file, announce=announce, say=_say)
    ctx.exit(supervisor.run())


def _announcement(ready: ReadyFile, settings: Settings) -> list[str]:
    command = _as_invoked()
    data = "" if settings.data_dir == Settings().data_dir else f" --data {shlex.quote(settings.data_dir)}"
    key = ready.server_key or "YOUR_API_KEY"
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    body = msgspec.json.encode(EXAMPLE).decode()
    return [
        "",
        f"smsledger is ready at {click.style(ready.url, bold=True)}",
        "",
        f"  API documentation  {ready.url}/docs",
        f"  SERVER key         {ready.server_key or '(made by another installation of this database)'}",
        f"  data folder        {ready.data_dir} (logs in {ready.data_dir}/logs)",
        "",
        "Send a message:",
        "",
        f"  curl -X POST {ready.url}/v1/sms {headers} -d {shlex.quote(body)}",
        "",
        "See what became of it, follow all events, see how everything stands:",
        "",
        f"  {command} timeline{data} MESSAGE-ID",
        f"  {command} tail{data}",
        f"  {command} status{data}",
        "",
        "Ctrl-C stops it; the data stays.",
        "",
    ]


def _as_invoked() -> str:
    """How this program was called, so that the lines to paste work in the same terminal."""
    program = sys.argv[0]
    if Path(program).name == "__main__.py":
        return f"{sys.executable} -m smsledger.runtime.cli"
    if shutil.which("smsledger") == program:
        return "smsledger"
    return shlex.quote(program)


def _say(line: str) -> None:
    """A line on the console, in between whatever the processes have to say."""
    click.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)
