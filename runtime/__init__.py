"""Settings, the one composition root, the command line, the supervised loops, the embedded servers.

No business rule lives here.
"""
