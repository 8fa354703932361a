"""A carrier to develop and test against: a process of its own, deterministic, fast and crash-safe.

`client.py` is its adapter behind the Carrier port; everything else is the simulator process, which knows
nothing of the ledger but the lines of `protocol.py`. It brings no message to a phone. See `docs/simulator.md`.
"""
