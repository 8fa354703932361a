-- What the loops (publisher, projector, dispatcher) remember and report.

-- How far a reader of positions has come. A projection's cursor moves in the transaction that writes its rows.
CREATE TABLE cursors (
    name       text PRIMARY KEY,
    position   bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The last word of each loop of each process, for `smsledger status` and /readyz. Written about once a second.
CREATE TABLE loops (
    role          text NOT NULL,
    instance      text NOT NULL, -- "<host>:<process id>"
    is_leader     boolean NOT NULL DEFAULT true,
    handled       bigint NOT NULL DEFAULT 0,
    errors        bigint NOT NULL DEFAULT 0,
    last_error    text,
    last_error_at timestamptz,
    beat_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (role, instance)
);

-- Events that a loop could not handle: kept aside so that the rest goes on; seen in `smsledger status`.
CREATE TABLE parked_events (
    role      text NOT NULL,
    position  bigint NOT NULL,
    topic     text NOT NULL,
    error     text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (role, position)
);

-- Receipts for a carrier id that no event knows yet: applied when it does.
CREATE TABLE parked_receipts (
    receipt_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_reference text NOT NULL,
    receipt           bytea NOT NULL,
    parked_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (carrier_reference, receipt) -- a repeated receipt is kept once; also the look-up after a Sent
);
