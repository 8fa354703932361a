"""What a message is and how it may change: events, states, decisions and policies.

Pure: no clock, no random ids, no I/O. It imports the standard library, msgspec and eventsourcing's core only.
"""
