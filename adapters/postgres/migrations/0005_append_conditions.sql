-- Conditions of an append: what must hold at the moment of the commit, checked under the lock that orders all
-- appends, so that nothing can come between the check and the events.

-- Recipients that must not be sent to: consent as its events leave it. An inline read model: written with the events
-- of domain/consent.py, in their transaction, and by nothing else.
CREATE TABLE suppressions (
    consent_id      uuid   NOT NULL, -- the aggregate: one organization's consent of one number
    scope           text   NOT NULL, -- from which senders: ALL, POOL, or one sender
    organization_id text   NOT NULL,
    version         bigint NOT NULL, -- of the event that suppressed, in the aggregate
    position        bigint NOT NULL, -- of that event
    -- Promise: nobody who is suppressed is sent to (the guards of ledger_append).
    PRIMARY KEY (consent_id, scope)
);

-- Lists of an organization's suppressions, newest first.
CREATE INDEX suppressions_listed ON suppressions (organization_id, position, scope);

-- Answers to requests that carried an Idempotency-Key, stored with what the requests did.
CREATE TABLE idempotency_keys (
    organization_id text        NOT NULL,
    key             text        NOT NULL,
    fingerprint     bytea       NOT NULL, -- of the request
    answer          bytea       NOT NULL, -- the body of the answer, as it was given
    position        bigint      NOT NULL, -- of the request's last event
    stored_at       timestamptz NOT NULL DEFAULT now(),
    -- Promise: a key does something once.
    PRIMARY KEY (organization_id, key)
);

-- Forgetting old keys.
CREATE INDEX idempotency_keys_stored_at ON idempotency_keys (stored_at);

-- Append one group of submissions in one transaction.
--
-- The first eight arrays are as in 0001, one element an event. `last_appends` has one element a submission (what one
-- caller wants stored, numbered from 0): the number of its last append. Conditions are the submission's: of one that
-- fails nothing is stored, and the others are stored.
-- * guard_*: appends to recipients who must not be suppressed. Those who are come back in `suppressed`, as append numbers.
-- * key_*: idempotency keys of submissions, which must not have been used within 24 hours. Those that were come back in
--   `used`, as submission numbers.
-- consent_*: what appends change in `suppressions`, by the version of the event that says so. Of a submission whose consent
-- was changed by somebody else nothing is stored: an opt-out and the message that it came by are one fact.
CREATE FUNCTION ledger_append(
    append_numbers int[], ids uuid[], versions bigint[], topics text[], organizations text[],
    times timestamptz[], carrier_references text[], states bytea[],
    last_appends int[],
    guard_appends int[], guard_consents uuid[], guard_scopes text[],
    -- Mostly there are none: left out, they need not be sent.
    key_submissions int[] DEFAULT '{}', key_organizations text[] DEFAULT '{}', keys text[] DEFAULT '{}',
    key_fingerprints bytea[] DEFAULT '{}', key_answers bytea[] DEFAULT '{}',
    consent_appends int[] DEFAULT '{}', consent_versions bigint[] DEFAULT '{}', consent_scopes text[] DEFAULT '{}',
    consent_suppressed bool[] DEFAULT '{}',
    OUT base bigint, OUT refused int[], OUT suppressed int[], OUT used int[]
) LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $function$
DECLARE
    failed int[]; -- submissions
    stored_keys int[]; -- submissions
    stale int[]; -- appends
    stored_appends int[]; -- append numbers of the events that were stored, in their order
BEGIN
    PERFORM pg_advisory_xact_lock('ledger_events'::regclass::oid::int, 0);
    -- Taken from the table under the lock, not from a sequence: a rolled-back append leaves no gap.
    SELECT coalesce(max(notification_id), 0) INTO base FROM ledger_events;

    -- Mostly nobody is; then one pass over the keys, in the index's order, is all.
    IF cardinality(guard_consents) > 0 THEN
        IF EXISTS (SELECT FROM suppressions s WHERE s.consent_id = ANY (guard_consents)) THEN
            SELECT array_agg(DISTINCT g.append_number) INTO suppressed
            FROM unnest(guard_appends, guard_consents, guard_scopes) AS g (append_number, consent_id, scope)
            JOIN suppressions s ON s.consent_id = g.consent_id AND (s.scope = 'ALL' OR s.scope = g.scope);
            SELECT array_agg(DISTINCT ledger_submission(g.append_number, last_appends)) INTO failed
            FROM unnest(suppressed) AS g (append_number);
        END IF;
    END IF;

    IF cardinality(consent_appends) > 0 THEN
        WITH events AS (
            SELECT * FROM unnest(append_numbers, ids, versions) AS e (append_number, id, version)
            WHERE e.append_number = ANY (consent_appends)
        ), outdated AS (
            SELECT DISTINCT ledger_submission(e.append_number, last_appends) AS submission FROM events e
            WHERE EXISTS (
                SELECT FROM ledger_events l WHERE l.originator_id = e.id AND l.originator_version = e.version
            ) OR EXISTS (
                SELECT FROM events o WHERE o.id = e.id AND o.version = e.version AND o.append_number < e.append_number
            ) OR (e.version > 1 AND NOT EXISTS (
                SELECT FROM ledger_events l WHERE l.originator_id = e.id AND l.originator_version = e.version - 1
            ) AND NOT EXISTS (
                SELECT FROM events o
                WHERE o.id = e.id AND o.version = e.version - 1 AND o.append_number <= e.append_number
            ))
        )
        SELECT array_agg(DISTINCT a.append_number), failed || array_agg(DISTINCT o.submission)
        INTO stale, failed
        FROM outdated o JOIN unnest(append_numbers) AS a (append_number)
            ON ledger_submission(a.append_number, last_appends) = o.submission;
    END IF;

    IF cardinality(key_submissions) > 0 THEN
        WITH wanted AS (
            SELECT DISTINCT ON (k.organization_id, k.key) k.*
            FROM unnest(key_submissions, key_organizations, keys, key_fingerprints, key_answers)
                AS k (submission, organization_id, key, fingerprint, answer)
            WHERE k.submission <> ALL (coalesce(failed, '{}'))
            ORDER BY k.organization_id, k.key, k.submission
        ), stored AS (
            INSERT INTO idempotency_keys AS kept (organization_id, key, fingerprint, answer, position)
            SELECT w.organization_id, w.key, w.fingerprint, w.answer,
                base + width_bucket(last_appends[w.submission + 1], append_numbers) -- so many events come until then
            FROM wanted w
            ON CONFLICT (organization_id, key) DO UPDATE SET
                fingerprint = excluded.fingerprint, answer = excluded.answer,
                position = excluded.position, stored_at = excluded.stored_at
            WHERE kept.stored_at <= now() - interval '24 hours'
            RETURNING organization_id, key
        )
        SELECT array_agg(w.submission) INTO stored_keys FROM wanted w JOIN stored s USING (organization_id, key);
        SELECT array_agg(k.submission) INTO used FROM unnest(key_submissions) AS k (submission)
        WHERE k.submission <> ALL (coalesce(failed, '{}')) AND k.submission <> ALL (coalesce(stored_keys, '{}'));
        failed := failed || used;
    END IF;

    IF failed IS NOT NULL THEN -- rare
        SELECT coalesce(array_agg(e.append_number ORDER BY place), '{}'),
            coalesce(array_agg(e.id ORDER BY place), '{}'), coalesce(array_agg(e.version ORDER BY place), '{}'),
            coalesce(array_agg(e.topic ORDER BY place), '{}'),
            coalesce(array_agg(e.organization_id ORDER BY place), '{}'),
            coalesce(array_agg(e.recorded_at ORDER BY place), '{}'),
            coalesce(array_agg(e.reference ORDER BY place), '{}'), coalesce(array_agg(e.state ORDER BY place), '{}')
        INTO append_numbers, ids, versions, topics, organizations, times, carrier_references, states
        FROM unnest(append_numbers, ids, versions, topics, organizations, times, carrier_references, states)
            WITH ORDINALITY AS e (append_number, id, version, topic, organization_id, recorded_at, reference, state, place)
        WHERE ledger_submission(e.append_number, last_appends) <> ALL (failed);
    END IF;

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
    IF stale IS NOT NULL THEN
        refused := refused || stale;
    END IF;

    IF stored_keys IS NOT NULL AND (failed IS NOT NULL OR refused IS NOT NULL) THEN -- what is missing moves positions
        stored_appends := ARRAY(
            SELECT a.append_number FROM unnest(append_numbers) WITH ORDINALITY AS a (append_number, place)
            WHERE a.append_number <> ALL (coalesce(refused, '{}')) ORDER BY a.place
        );
        UPDATE idempotency_keys i SET position = base + width_bucket(last_appends[k.submission + 1], stored_appends)
        FROM unnest(key_submissions, key_organizations, keys) AS k (submission, organization_id, key)
        WHERE i.organization_id = k.organization_id AND i.key = k.key AND k.submission = ANY (stored_keys);
    END IF;

    IF cardinality(consent_appends) > 0 THEN
        WITH changes AS (
            SELECT DISTINCT ON (e.id, c.scope) -- the last word counts
                e.id AS consent_id, c.scope, e.organization_id, e.version, e.position, c.is_suppressed
            FROM unnest(consent_appends, consent_versions, consent_scopes, consent_suppressed)
                AS c (append_number, version, scope, is_suppressed)
            JOIN (
                SELECT s.*, base + row_number() OVER (ORDER BY s.place) AS position
                FROM unnest(append_numbers, ids, versions, organizations)
                    WITH ORDINALITY AS s (append_number, id, version, organization_id, place)
                WHERE s.append_number <> ALL (coalesce(refused, '{}'))
            ) e ON e.append_number = c.append_number AND e.version = c.version
            ORDER BY e.id, c.scope, e.version DESC
        ), ended AS (
            DELETE FROM suppressions s USING changes c
            WHERE s.consent_id = c.consent_id AND s.scope = c.scope AND NOT c.is_suppressed
        )
        INSERT INTO suppressions AS kept (consent_id, scope, organization_id, version, position)
        SELECT consent_id, scope, organization_id, version, position FROM changes WHERE is_suppressed
        ON CONFLICT (consent_id, scope) DO UPDATE SET version = excluded.version, position = excluded.position;
    END IF;
    -- One wake-up per group; only a hint, readers poll as well.
    PERFORM pg_notify('ledger_events', '');
END
$function$;

-- Without conditions: for tools, and for processes of the release before, which run beside this one for a while.
CREATE OR REPLACE FUNCTION ledger_append(
    append_numbers int[], ids uuid[], versions bigint[], topics text[], organizations text[],
    times timestamptz[], carrier_references text[], states bytea[],
    OUT base bigint, OUT refused int[]
) LANGUAGE plpgsql SET search_path FROM CURRENT AS $function$
BEGIN
    SELECT a.base, a.refused INTO base, refused FROM ledger_append(
        append_numbers, ids, versions, topics, organizations, times, carrier_references, states,
        '{}'::int[], '{}'::int[], '{}'::uuid[], '{}'::text[]
    ) a;
END
$function$;

-- Which submission an append belongs to: as many as end before it come before.
CREATE FUNCTION ledger_submission(append_number int, last_appends int[]) RETURNS int
LANGUAGE sql IMMUTABLE AS $function$ SELECT width_bucket(append_number - 1, last_appends) $function$;
