-- Rate limits: how much of its limit an organization has taken in the last second, by class of endpoint, for all API
-- processes together. Nothing here is worth a write to the log: it is old after a second and a half.

-- Time is counted in buckets of 5 ms of PostgreSQL's own clock, the only one that counts.
CREATE UNLOGGED TABLE rate_windows (
    organization_id text   NOT NULL, -- no foreign key: the row of an organization that went away is forgotten when it is old
    endpoint_class  text   NOT NULL,
    bucket          bigint NOT NULL, -- when the row was last changed, in buckets since 1970
    taken           int    NOT NULL, -- the sum of `expiring`
    expiring        int[]  NOT NULL, -- element i: slots that are free again when bucket `bucket` + i begins
    PRIMARY KEY (organization_id, endpoint_class)
) WITH (
    fillfactor = 50, -- changed many times a second: keep the changes on their page
    autovacuum_vacuum_threshold = 1000
);
ALTER TABLE rate_windows ALTER COLUMN expiring SET STORAGE PLAIN; -- short enough for its row, and never looked at alone

-- Emptied by a crash of PostgreSQL together with the table above. Who finds it empty knows that slots of the last
-- second are forgotten, and that for so long none may be granted.
CREATE UNLOGGED TABLE rate_beginning (
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    began_at timestamptz NOT NULL
);
INSERT INTO rate_beginning (began_at) VALUES ('epoch'); -- long ago

-- Take slots: of `wanted`, as many as the limit `most` leaves.
--
-- A slot granted at t may be used until t + `lease` buckets, and counts until a second after that, so whatever
-- second one looks at, no more than `most` were used in it. Who has used its slots earlier says so with a later
-- question (settle_from: where they are booked, settle_to: where that is enough, how many were used and how many were
-- not), and they are free again the earlier.
-- granted -1: PostgreSQL has just crashed; ask again after free_in_ms. `free_in_ms`: until the next slot is free, where
-- not all were granted.
CREATE FUNCTION rate_take(
    organization text, class text, most int, wanted int, lease int,
    settle_from bigint, settle_to bigint, settle_used int, settle_unused int,
    OUT granted int, OUT remaining int, OUT booked bigint, OUT free_in_ms float8
) LANGUAGE plpgsql SET search_path FROM CURRENT AS $function$
DECLARE
    buckets_per_second CONSTANT int := 200;
    size  CONSTANT int := 301; -- a second, the longest lease (half a second), and the bucket that has begun
    found_bucket bigint;
    ring         int[];
    total        int;
    now_buckets  float8;
    now_bucket   bigint;
    elapsed      int;
    place        int;
    changed      boolean;
BEGIN
    granted := 0; remaining := 0; booked := 0; free_in_ms := 0;
    LOOP
        SELECT bucket, taken, expiring INTO found_bucket, total, ring FROM rate_windows
        WHERE organization_id = organization AND endpoint_class = class FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO rate_beginning (began_at) VALUES (clock_timestamp()) ON CONFLICT DO NOTHING;
        SELECT 1000 * (1.5 - date_part('epoch', clock_timestamp() - began_at)) INTO free_in_ms FROM rate_beginning;
        IF free_in_ms BETWEEN 0 AND 1500 THEN -- beyond: long over, or the clock was set back
            granted := -1;
            RETURN;
        END IF;
        free_in_ms := 0;
        INSERT INTO rate_windows VALUES (organization, class, 0, 0, array_fill(0, ARRAY[size])) ON CONFLICT DO NOTHING;
    END LOOP;

    -- Under the row's lock, so that bookings are made in the order of their times. A clock that was set back does no
    -- harm: what is booked stays so for as long as it had left.
    now_buckets := date_part('epoch', clock_timestamp()) * buckets_per_second;
    now_bucket := floor(now_buckets);
    changed := now_bucket < found_bucket;
    elapsed := least(greatest(now_bucket - found_bucket, 0), size);
    IF elapsed > 0 THEN
        IF total > 0 THEN
            total := total - (SELECT coalesce(sum(slots), 0) FROM unnest(ring[1:elapsed]) AS slots);
        END IF;
        ring := ring[elapsed + 1:size] || array_fill(0, ARRAY[elapsed]);
    END IF;

    place := CASE WHEN settle_from - now_bucket BETWEEN 1 AND size THEN settle_from - now_bucket END;
    IF settle_used + settle_unused <= ring[place] THEN -- else it is over already, or no longer known
        changed := true;
        ring[place] := ring[place] - settle_used - settle_unused;
        total := total - settle_unused;
        place := least(settle_to, settle_from) - now_bucket;
        IF place >= 1 THEN
            ring[place] := ring[place] + settle_used;
        ELSE
            total := total - settle_used;
        END IF;
    END IF;

    granted := greatest(least(wanted, most - total), 0);
    IF granted > 0 THEN
        changed := true;
        place := least(buckets_per_second + lease + 1, size); -- the bucket that has begun is not counted
        booked := now_bucket + place;
        ring[place] := ring[place] + granted;
        total := total + granted;
    END IF;
    remaining := greatest(most - total, 0);
    IF granted < wanted THEN
        SELECT (min(slot.i) - (now_buckets - now_bucket)) * 1000 / buckets_per_second INTO free_in_ms
        FROM unnest(ring) WITH ORDINALITY AS slot (slots, i) WHERE slot.slots > 0;
    END IF;
    IF changed THEN
        UPDATE rate_windows SET bucket = now_bucket, taken = total, expiring = ring
        WHERE organization_id = organization AND endpoint_class = class;
    END IF;
END
$function$;
