-- Where organizations want to be told what becomes of their messages. Small; read whole per organization.

CREATE TABLE webhook_endpoints (
    webhook_id      uuid PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations,
    url             text NOT NULL CHECK (length(url) <= 2000),
    events          text[] NOT NULL CHECK (cardinality(events) > 0),
    description     text CHECK (length(description) <= 255),
    active          boolean NOT NULL,
    secret          bytea NOT NULL CHECK (length(secret) = 32), -- signs the deliveries, so it has to be readable
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);

-- An organization's endpoints, newest first, and how many there are.
CREATE INDEX webhook_endpoints_of_organization ON webhook_endpoints (organization_id, created_at, webhook_id);
