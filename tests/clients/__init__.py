"""The ledger seen by, or compared with, published packages that were written elsewhere."""
