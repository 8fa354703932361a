-- Inbound messages for which no organization is known yet: kept until one is (application/inbound.py).
CREATE TABLE parked_inbound (
    inbound_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_reference text NOT NULL UNIQUE, -- a message that the carrier repeats is kept once
    message           bytea NOT NULL,
    parked_at         timestamptz NOT NULL DEFAULT now()
);

-- Who owns the sender that was written to is found by its primary key; whether there is one organization only, by the
-- organizations' (0002).
