"""What touches the outside: PostgreSQL, NATS, carriers, phone number metadata, templates, migrations.

Adapters implement ports of the application layer; they never import `http`.
"""
