"""What counts as unhealthy, as lines for a person: one each, saying what is wrong and where.

It reads nothing itself: the statuses come from PostgreSQL and NATS through their adapters.
"""

from smsledger.adapters.nats.status import StreamStatus
from smsledger.adapters.postgres.status import LedgerStatus, LoopReport

from .roles import LOOPS

SILENT_S_MAX = 10.0
"""A loop reports about once a second; after this silence it counts as gone."""
LAG_S_MAX = 30.0
ERROR_FRESH_S = 10.0


def ledger_problems(status: LedgerStatus) -> list[str]:
    """What is wrong with the loops and with the followers; empty where all is well."""
    problems = [problem for loop in LOOPS if (problem := _loop_problem(loop, present_loops(status, loop)))]
    problems += [
        f"{follower.name}: {follower.lag_events} events ({follower.lag_s:.0f} s) behind the ledger"
        for follower in status.followers
        if follower.kind != "rebuild" and follower.lag_s > LAG_S_MAX
    ]
    problems += [
        f"{role}: {count} {'event' if count == 1 else 'events'} parked that could not be handled"
        for role, count in status.parked_events.items()
    ]
    return problems


def stream_problems(stream: StreamStatus | None, name: str) -> list[str]:
    """What is wrong with the stream and the dispatchers' queue."""
    if stream is None:
        return [f"stream: NATS has no stream {name} (the publisher makes it)"]
    if (
        stream.queue is not None
        and stream.queue.lag_s > LAG_S_MAX
        and stream.queue.lag_events > stream.queue.under_way
    ):
        return [
            f"dispatcher: {stream.queue.lag_events} messages waiting, the oldest for {stream.queue.lag_s:.0f} s"
        ]
    return []


def present_loops(status: LedgerStatus, name: str) -> list[LoopReport]:
    """The processes' loops of a name that speak; where none does, the one that spoke last."""
    loops = [loop for loop in status.loops if loop.role == name]
    speaking = [loop for loop in loops if loop.silent_s <= SILENT_S_MAX]
    return speaking or loops[:1]


def _loop_problem(name: str, loops: list[LoopReport]) -> str | None:
    remedy = f"start one with `smsledger worker --roles {LOOPS[name]}`"
    if not loops:
        return f"{name}: no process runs it; {remedy}"
    if loops[0].silent_s > SILENT_S_MAX:
        return f"{name}: no word from {loops[0].instance} for {loops[0].silent_s:.0f} s; {remedy}"
    for loop in loops:
        if loop.last_error is not None and not loop.is_leader and (loop.error_age_s or 0.0) <= ERROR_FRESH_S:
            return f"{name}: failing on {loop.instance}: {loop.last_error}"
    if not any(loop.is_leader for loop in loops):
        return f"{name}: no process leads it yet"
    return None
