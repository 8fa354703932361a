"""Makes a lost way to PostgreSQL known within seconds, where the system's defaults take minutes to hours.

Only TCP needs it; over a unix socket the settings do nothing.
"""

from psycopg.conninfo import conninfo_to_dict, make_conninfo

KEEP_ALIVE: dict[str, str] = {
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""libpq's parameters: seconds of silence before the first probe, between probes, how many; milliseconds unacknowledged."""


def keep_alive(conninfo: str) -> str:
    """`conninfo` with these parameters, save those that it names itself."""
    given = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{name: value for name, value in KEEP_ALIVE.items() if name not in given})
