-- The register of projections. The read models' own tables stand in `projections/`, beside the code that fills
-- and reads them: they carry their generation's number in their names, and are made with their row here.

CREATE TABLE projections (
    name       text   NOT NULL,
    generation int    NOT NULL,
    live       boolean NOT NULL, -- the generation that is fed and read; the others are being rebuilt or dropped
    shape      int    NOT NULL,  -- of its tables; a release that wants another shape rebuilds
    position   bigint NOT NULL,  -- of the last event applied; moves in the transaction that writes the rows
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation)
) WITH (
    fillfactor = 20, -- a few rows, updated many times a second: keep the updates on their page
    autovacuum_vacuum_threshold = 1000
);

-- Promise: one generation of a projection is live.
CREATE UNIQUE INDEX projections_live ON projections (name) WHERE live;
