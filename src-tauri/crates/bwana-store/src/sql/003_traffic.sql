-- Format 3: what a day sent and heard over the network.

-- One row a day, like 20261125, written by the owner from its meter with whole sums, so that a repeat changes nothing.
-- Nothing computes it anew: the journal does not know heads, tools and downloads.
CREATE TABLE traffic (
    day INTEGER PRIMARY KEY,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL
) STRICT;
