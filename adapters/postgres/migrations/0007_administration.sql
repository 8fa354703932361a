-- What the administration sets: an organization's own limits and keywords, and when each key was last used.

ALTER TABLE organizations
    ADD COLUMN rate_limits jsonb, -- {"send", "batch", "read"}: requests a second; NULL: the defaults
    ADD COLUMN keywords    jsonb; -- opt-out, opt-in and help keywords with their replies; NULL: the defaults

-- Apart from api_keys: every change there empties the caches of every process, and this changes all the time.
CREATE TABLE api_key_uses (
    key_id       text PRIMARY KEY REFERENCES api_keys ON DELETE CASCADE,
    last_used_at timestamptz NOT NULL -- the latest that a process has written down; some seconds behind
);

-- The keys of one organization, in the order in which they are listed.
CREATE INDEX api_keys_organization ON api_keys (organization_id, created_at, key_id);

-- A sender may serve several countries (a name does in most, a number where it is told to): a row for each.
-- All of a sender's rows are the pool's or one organization's: the administration sees to that.
-- Look-up of a sender's owner by the sender alone.
ALTER TABLE senders DROP CONSTRAINT senders_pkey, ADD CONSTRAINT senders_pkey PRIMARY KEY (sender, country);
