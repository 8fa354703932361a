"""The ledger's tests: a folder per room, `whole/` for the running service, `clients/` for others' code."""
