"""PostgreSQL: connections, migrations, the event store and its appender, and small tables of their own kind.

Read models are not here: each stands in `projections/` beside the code that fills it.
"""
