-- The event store. Rows are only ever inserted, by ledger_append() below, and never changed.
-- Column names notification_id, originator_id, originator_version, topic and state are those that the
-- eventsourcing library's recorder reads; the ledger calls the first one the position.
CREATE TABLE ledger_events (
    notification_id    bigint      NOT NULL, -- position: global, from 1, rising in commit order, without gaps
    originator_id      uuid        NOT NULL, -- the message (aggregate)
    originator_version bigint      NOT NULL, -- the message's own count, from 1, without gaps
    topic              text        NOT NULL, -- stored event type, such as message.queued.v1
    organization_id    text        NOT NULL,
    recorded_at        timestamptz NOT NULL, -- the event's own time (the ledger's clock); never used for order
    carrier_reference  text,                 -- "<carrier>:<its message id>" on the event that introduces it
    state              bytea       NOT NULL, -- the event's bytes, as encoded once
    -- Promise: versions are unique, so of two writers that saw the same version one loses.
    CONSTRAINT ledger_events_pkey PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.2,
    autovacuum_analyze_scale_factor = 0.05
);

-- Every reader that follows positions; also answers max(position) for the next append.
CREATE UNIQUE INDEX ledger_events_position ON ledger_events (notification_id);

-- A receipt names its message by the carrier's id: exact from the moment the Sent event commits.
CREATE INDEX ledger_events_carrier_reference ON ledger_events (carrier_reference)
    WHERE carrier_reference IS NOT NULL;

-- History by time (fromDate, toDate): times nearly follow the physical order, so block ranges suffice.
CREATE INDEX ledger_events_recorded_at ON ledger_events USING brin (recorded_at);

-- Append one group of appends in one transaction.
--
-- The arrays are parallel, one element an event; append_numbers says which events belong together. All
-- events of an append are stored, or none: an append that meets an existing (message, version), or that would
-- leave a gap before its own, is refused and named in `refused`, and the others are stored.
-- The lock makes positions visible in commit order: whoever holds it is the only one with uncommitted positions,
-- so a reader never sees position n+1 before n. An advisory one, held until the commit is visible like any other:
-- a lock on the table would wait for each VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY, and end autovacuum's.
CREATE FUNCTION ledger_append(
    append_numbers int[], ids uuid[], versions bigint[], topics text[], organizations text[],
    times timestamptz[], carrier_references text[], states bytea[],
    OUT base bigint, OUT refused int[]
) LANGUAGE plpgsql SET search_path FROM CURRENT
-- Plans are made once a connection, perhaps while the table is small, and have to be right when it is large: look-ups
-- by key, never a pass over the table.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock('ledger_events'::regclass::oid::int, 0);
    -- Taken from the table under the lock, not from a sequence: a rolled-back append leaves no gap.
    SELECT coalesce(max(notification_id), 0) INTO base FROM ledger_events;
    BEGIN
        INSERT INTO ledger_events
        SELECT base + e.place, e.id, e.version, e.topic, e.organization_id, e.recorded_at, e.reference, e.state
        FROM unnest(ids, versions, topics, organizations, times, carrier_references, states)
            WITH ORDINALITY AS e (id, version, topic, organization_id, recorded_at, reference, state, place);
        -- Versions are contiguous: what follows nothing is refused like what exists already.
        IF EXISTS (
            SELECT FROM unnest(ids, versions) AS e (id, version)
            WHERE e.version > 1 AND NOT EXISTS (
                SELECT FROM ledger_events l WHERE l.originator_id = e.id AND l.originator_version = e.version - 1
            )
        ) THEN
            RAISE unique_violation;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        -- Rare: find the losers, also among each other (the earlier append of the group wins), within one append
        -- that names a version twice, and those whose version before is neither stored nor their own.
        WITH wanted AS (
            SELECT * FROM unnest(append_numbers, ids, versions)
                WITH ORDINALITY AS w (append_number, id, version, place)
        )
        SELECT array_agg(DISTINCT w.append_number) INTO refused FROM wanted w
        WHERE EXISTS (
            SELECT FROM ledger_events l WHERE l.originator_id = w.id AND l.originator_version = w.version
        ) OR EXISTS (
            SELECT FROM wanted o
            WHERE o.id = w.id AND o.version = w.version
                AND (o.append_number, o.place) < (w.append_number, w.place)
        ) OR (w.version > 1 AND NOT EXISTS (
            SELECT FROM ledger_events l WHERE l.originator_id = w.id AND l.originator_version = w.version - 1
        ) AND NOT EXISTS (
            SELECT FROM wanted o
            WHERE o.id = w.id AND o.version = w.version - 1 AND o.append_number = w.append_number
        ));
        IF refused IS NULL THEN -- something else is not unique: storing nothing must not look like success
            RAISE;
        END IF;
        INSERT INTO ledger_events
        SELECT base + row_number() OVER (ORDER BY e.place),
            e.id, e.version, e.topic, e.organization_id, e.recorded_at, e.reference, e.state
        FROM unnest(append_numbers, ids, versions, topics, organizations, times, carrier_references, states)
            WITH ORDINALITY AS e (append_number, id, version, topic, organization_id, recorded_at, reference, state, place)
        WHERE e.append_number <> ALL (refused);
    END;
    -- One wake-up per group; only a hint, readers poll as well.
    PERFORM pg_notify('ledger_events', '');
END
$function$;
