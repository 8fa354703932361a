"""How long each measurement takes, and how much it handles: the full plan, and the quick one for under 50 s."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds alternate: floor, value, floor, value, and so on."""

    rounds: int
    """Of value and floor each."""
    round_s: float
    whole_life_s: float
    storage_rounds: int
    """Rounds of the storage floor, before and after whole_life each."""
    get_rounds: int
    rebuild_rounds: int
    list_small: int
    """Messages in the small ledger."""
    list_large: int
    list_requests: int
    """Of each kind of list and each ledger."""
    is_quick: bool = False


FULL = Plan(
    rounds=5,
    round_s=3.0,
    whole_life_s=60.0,
    storage_rounds=3,
    get_rounds=5,
    rebuild_rounds=3,
    list_small=10_000,
    list_large=1_000_000,
    list_requests=100,
)
QUICK = Plan(
    rounds=3,
    round_s=0.5,
    whole_life_s=4.0,
    storage_rounds=1,
    get_rounds=3,
    rebuild_rounds=1,
    list_small=10_000,
    list_large=100_000,
    list_requests=15,
    is_quick=True,
)


def with_seconds(plan: Plan, seconds: float | None) -> Plan:
    """The plan with rounds of another length."""
    return plan if seconds is None else msgspec.structs.replace(plan, round_s=seconds)
