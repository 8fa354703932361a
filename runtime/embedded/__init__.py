"""A real PostgreSQL and a real NATS server as child processes of the supervisor, in one data folder that
survives restarts.

Nothing here knows what the servers are used for, and nothing here restarts them: that is the supervisor's
work. It holds the data folder (`data_folder.lock_data_folder`) for as long as it runs either server.

    <data folder>/lock             held by the supervisor
    <data folder>/postgres/        PostgreSQL's data        postgres.log   postgres.lock
    <data folder>/nats/            NATS' JetStream store    nats.log       nats.lock
"""
