"""Every setting of the service: one struct, one environment variable each, listed by `smsledger settings`.

Nothing else reads the environment. Command line options that name a setting override its variable.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from smsledger.domain.errors import LedgerError

PREFIX = "SMSLEDGER_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings; a field `x_y` is read from SMSLEDGER_X_Y. Units end the name (_s seconds, _bytes, _events)."""

    postgres_url: Annotated[
        str, Meta(description="PostgreSQL of the ledger, a libpq URL; empty: `smsledger up` starts its own")
    ] = ""
    nats_url: Annotated[
        str, Meta(description="NATS with JetStream, nats://host:port; empty: `smsledger up` starts its own")
    ] = ""
    data_dir: Annotated[str, Meta(description="folder for what `smsledger up` keeps")] = ".smsledger"
    host: Annotated[str, Meta(description="address that the API listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="port that the API listens on; 0: a free one")] = (
        8080
    )
    api_workers: Annotated[int, Meta(ge=1, le=64, description="API processes behind the port")] = 1
    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$", description="least level that is logged")
    ] = "info"
    request_body_bytes_max: Annotated[
        int, Meta(ge=1_000, le=100_000_000, description="largest request body; a larger one is answered 413")
    ] = 2_097_152
    append_group_events_max: Annotated[
        int, Meta(ge=1, le=100_000, description="events stored in one transaction by the appender")
    ] = 2_000
    append_waiting_events_max: Annotated[
        int, Meta(ge=1, description="events waiting for the appender before requests are answered 503")
    ] = 50_000
    append_wait_s_max: Annotated[
        float, Meta(gt=0, description="how long a write may wait for PostgreSQL before it is answered 503")
    ] = 10.0
    read_pool_connections: Annotated[
        int, Meta(ge=1, le=200, description="PostgreSQL connections for reads, per process")
    ] = 4
    position_wait_s_max: Annotated[
        float, Meta(gt=0, le=2, description="how long a list read waits for a Ledger-Position")
    ] = 2.0
    stream_name: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9_-]{1,32}$",
            description="name of the JetStream stream; its subjects, sms.v1.>, are the same for every name: one ledger per NATS account",
        ),
    ] = "SMSLEDGER"
    stream_replicas: Annotated[
        int, Meta(ge=1, le=5, description="replicas of the stream in a NATS cluster")
    ] = 1
    stream_max_age_s: Annotated[
        int,
        Meta(
            ge=0, description="how long the stream keeps events; 0: for ever (the ledger keeps them anyway)"
        ),
    ] = 0
    publish_batch_events: Annotated[
        int, Meta(ge=1, le=1_000, description="events in one atomic JetStream batch")
    ] = 500
    project_batch_events: Annotated[
        int, Meta(ge=1, le=50_000, description="events projected in one transaction")
    ] = 4_000
    poll_s: Annotated[
        float,
        Meta(gt=0, le=60, description="how often a follower looks for events when no notification came"),
    ] = 0.25
    leader_lease_s: Annotated[
        float,
        Meta(
            ge=3, le=600, description="silence after which a publisher or projector loses the lead to another"
        ),
    ] = 15.0
    dispatch_in_flight_max: Annotated[
        int, Meta(ge=1, le=100_000, description="messages one dispatcher handles at the same time")
    ] = 2_000
    dispatch_attempts_max: Annotated[
        int, Meta(ge=1, le=1_000, description="attempts at the carrier before a message has failed")
    ] = 20
    dispatch_ack_wait_s: Annotated[
        float, Meta(ge=1, description="silence after which another dispatcher takes a message over")
    ] = 30.0
    receipt_wait_s: Annotated[
        int,
        Meta(
            ge=1, description="how long a sent message waits for its receipt before it counts as undelivered"
        ),
    ] = 259_200
    simulator_url: Annotated[
        str, Meta(description="carrier simulator, tcp://host:port; empty: `smsledger up` starts its own")
    ] = ""
    simulator_answer_ms: Annotated[
        int, Meta(ge=0, description="simulator: time until it answers a submission")
    ] = 5
    simulator_receipt_ms: Annotated[
        int, Meta(ge=0, description="simulator: time from its answer to the receipt")
    ] = 50
    simulator_undelivered_percent: Annotated[
        float, Meta(ge=0, le=100, description="simulator: share of ordinary numbers that end UNDELIVERED")
    ] = 0.0
    simulator_refused_percent: Annotated[
        float,
        Meta(ge=0, le=100, description="simulator: share of ordinary submissions refused with a rate limit"),
    ] = 0.0
    webhook_allow_http: Annotated[
        bool,
        Meta(
            description="webhook URLs may begin with http://, which anybody on the way can read; `smsledger up` takes true unless this is set"
        ),
    ] = False


class InvalidSetting(LedgerError):
    """A setting's value cannot be used."""

    message = "{variable}: {problem}; `smsledger settings` lists what it takes"


class UnknownSetting(LedgerError):
    """An environment variable looks like a setting and is none."""

    message = "{variable} is not a setting; did you mean {suggestion}? `smsledger settings` lists them all"


class SettingInfo(msgspec.Struct, frozen=True):
    """One line of `smsledger settings`."""

    variable: str
    meaning: str
    unit: str
    default: Any


_UNITS = {
    "_ms": "milliseconds",
    "_s": "seconds",
    "_bytes": "bytes",
    "_events": "events",
    "_percent": "percent",
}


def settings_from(environment: Mapping[str, str], **overrides: object) -> Settings:
    """The settings in `environment`, with options given as `overrides` (None: not given).

    Raises InvalidSetting and UnknownSetting, naming the variable.
    """
    names = set(Settings.__struct_fields__)
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            if name not in names:
                raise UnknownSetting(variable=variable, suggestion=_nearest(name, names))
            values[name] = text
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).rpartition(" - at `$.")
        name = path.rstrip("`")
        wanted = problem.partition(", got ")[0].replace("`", "")
        raise InvalidSetting(
            variable=PREFIX + name.upper(),
            problem=f"{wanted[0].lower()}{wanted[1:]}, got {values.get(name)!r}",
        ) from None


def setting_infos() -> Iterator[SettingInfo]:
    """Every setting with meaning, unit and default, in order."""
    for field in msgspec.inspect.type_info(Settings).fields:  # type: ignore[attr-defined]  # a Struct's info has fields
        described: Any = field.type
        extra = described.extra_json_schema or {}
        yield SettingInfo(
            PREFIX + field.name.upper(), extra.get("description", ""), _unit(field.name), field.default
        )


def _unit(name: str) -> str:
    trimmed = name.removesuffix("_max")
    return next((unit for ending, unit in _UNITS.items() if trimmed.endswith(ending)), "")


def _nearest(name: str, names: set[str]) -> str:
    import difflib  # noqa: PLC0415  # only on the way to an error

    found = difflib.get_close_matches(name, names, n=1, cutoff=0)
    return PREFIX + found[0].upper()
