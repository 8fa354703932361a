"""Use cases and process managers (accept, dispatch, receipts, publish), and the ports they need as Protocols.

No SQL, no HTTP, no NATS: those are adapters' business.
"""
