"""NATS JetStream: the connection, the stream that events go out on, and the queue that dispatchers take from.

PostgreSQL is the truth; everything here can be rebuilt from it.
"""
