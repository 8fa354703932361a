"""Read models, one file each (table, event to row, queries), and the batching projector that feeds them.

Nothing here decides anything about a message: that is the domain's.
"""
