//! How the tables of `health.db` came to be: one step a version.
//!
//! A new file takes all steps, an older one those that it lacks, in one transaction: it has the
//! version of before or the newest one, also after a kill. A step that was released is never
//! changed; what is to be otherwise is a further step at the end.

use rusqlite::Connection;

use super::{StoreError, written};

/// What makes version n + 1 of version n; version 0 is an empty file.
pub(super) const STEPS: &[&str] = &[RECORDS, DOCUMENTS, HISTORY, DELETIONS, WRITTEN];

/// Version of the tables that this program knows.
pub(super) const VERSION: i64 = 5;

/// Takes the steps that a file of this version lacks, in the caller's transaction.
pub(super) fn bring_up(connection: &Connection, found: i64) -> Result<(), StoreError> {
    for (step, version) in STEPS.iter().zip(1..) {
        if version > found {
            connection.execute_batch(step)?;
            if version == 5 {
                written::adopt(connection)?;
            }
        }
    }
    Ok(())
}

/// Version 1: records, workouts, correlations.
const RECORDS: &str = "
CREATE TABLE counter (            -- one row
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL,          -- last position of the sequence that was given out
  rows INTEGER NOT NULL           -- last row number that was given to a sample
) STRICT;
INSERT INTO counter VALUES (1, 0, 0);

CREATE TABLE origin   (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE kind     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                       unit TEXT NOT NULL) STRICT;  -- of its first sample; '' for categories
CREATE TABLE unit     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE source   (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL,
                       UNIQUE (name, version)) STRICT;      -- version '' when unknown
CREATE TABLE device   (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                       hardware TEXT) STRICT;
-- Half of the last printed digit, in the unit of the row.
CREATE TABLE tolerance (id INTEGER PRIMARY KEY, half REAL NOT NULL UNIQUE) STRICT;
-- Short metadata that many samples share (a JSON object as text).
CREATE TABLE metadata (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE sample (
  kind_id      INTEGER NOT NULL,
  start_ms     INTEGER NOT NULL,  -- since 1970-01-01T00:00:00Z
  id           BLOB    NOT NULL,  -- UUIDv8 of the key, 16 bytes
  end_ms       INTEGER NOT NULL,
  row          INTEGER NOT NULL,  -- dense and unique: a bitmap of rows costs one bit each
  seq          INTEGER NOT NULL,
  origin_id    INTEGER NOT NULL,
  source_id    INTEGER NOT NULL,
  unit_id      INTEGER NOT NULL,
  tolerance_id INTEGER,           -- null when there is no number
  value        REAL,
  category_id  INTEGER,
  device_id    INTEGER,
  created_ms   INTEGER,
  metadata_id  INTEGER,           -- at most one of these two is set
  metadata     TEXT,              -- a JSON object
  PRIMARY KEY (kind_id, start_ms, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_seq ON sample (seq);

-- How many samples there are, kept by the same transactions that write them.
CREATE TABLE tally (
  kind_id   INTEGER NOT NULL,
  origin_id INTEGER NOT NULL,
  samples   INTEGER NOT NULL,
  PRIMARY KEY (kind_id, origin_id)
) STRICT, WITHOUT ROWID;

-- A deletion is a position in the sequence, too.
CREATE TABLE tombstone (
  seq     INTEGER PRIMARY KEY,
  kind_id INTEGER,                -- null for workouts and correlations
  id      BLOB NOT NULL
) STRICT;

CREATE TABLE workout (
  workout_id INTEGER PRIMARY KEY,
  id         BLOB    NOT NULL UNIQUE,
  seq        INTEGER NOT NULL,
  origin_id  INTEGER NOT NULL REFERENCES origin,
  activity   TEXT    NOT NULL,    -- HealthKit's name without its prefix (`running`)
  start_ms   INTEGER NOT NULL,
  end_ms     INTEGER NOT NULL,
  duration_s REAL,                -- without pauses
  source_id  INTEGER NOT NULL REFERENCES source,
  device_id  INTEGER REFERENCES device,
  created_ms INTEGER,
  metadata   TEXT
) STRICT;
CREATE INDEX workout_start ON workout (start_ms);
CREATE INDEX workout_seq ON workout (seq);
CREATE TABLE workout_statistic (
  workout_id INTEGER NOT NULL REFERENCES workout ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  kind_id    INTEGER NOT NULL REFERENCES kind,
  start_ms   INTEGER,
  end_ms     INTEGER,
  unit_id    INTEGER NOT NULL REFERENCES unit,
  average    REAL,
  minimum    REAL,
  maximum    REAL,
  sum        REAL,
  tolerance  REAL NOT NULL,       -- the widest of the four
  PRIMARY KEY (workout_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE workout_event (
  workout_id INTEGER NOT NULL REFERENCES workout ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  event      TEXT    NOT NULL,    -- `pause`, `resume`, `lap`, ..
  at_ms      INTEGER NOT NULL,
  duration_s REAL,
  metadata   TEXT,
  PRIMARY KEY (workout_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE correlation (
  correlation_id INTEGER PRIMARY KEY,
  id             BLOB    NOT NULL UNIQUE,
  seq            INTEGER NOT NULL,
  origin_id      INTEGER NOT NULL REFERENCES origin,
  kind_id        INTEGER NOT NULL REFERENCES kind,
  start_ms       INTEGER NOT NULL,
  end_ms         INTEGER NOT NULL,
  source_id      INTEGER NOT NULL REFERENCES source,
  device_id      INTEGER REFERENCES device,
  created_ms     INTEGER,
  metadata       TEXT
) STRICT;
CREATE INDEX correlation_start ON correlation (kind_id, start_ms);
CREATE INDEX correlation_seq ON correlation (seq);
-- Which samples belong together; they are rows of `sample` like any other.
CREATE TABLE correlation_member (
  correlation_id INTEGER NOT NULL REFERENCES correlation ON DELETE CASCADE,
  position       INTEGER NOT NULL,
  kind_id        INTEGER NOT NULL REFERENCES kind,
  start_ms       INTEGER NOT NULL,
  sample_id      BLOB    NOT NULL,
  PRIMARY KEY (correlation_id, position)
) STRICT, WITHOUT ROWID;
";

/// Version 2: what is neither record, workout nor correlation; the parts of a workout; which
/// format a row came from, and when each was exported last.
const DOCUMENTS: &str = "
CREATE TABLE format (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO format VALUES (1, 'appleHealth');
-- The format of the file that brought the row first: an import prunes only rows of its own.
ALTER TABLE sample      ADD COLUMN format_id INTEGER NOT NULL DEFAULT 1;
ALTER TABLE workout     ADD COLUMN format_id INTEGER NOT NULL DEFAULT 1;
ALTER TABLE correlation ADD COLUMN format_id INTEGER NOT NULL DEFAULT 1;
-- The newest export of which all was kept.
CREATE TABLE exported (
  origin_id INTEGER NOT NULL,
  format_id INTEGER NOT NULL,
  at_ms     INTEGER NOT NULL,     -- when the phone made it
  PRIMARY KEY (origin_id, format_id)
) STRICT, WITHOUT ROWID;

-- What was deleted: 'sample', 'workout', 'correlation', or the noun of a document.
ALTER TABLE tombstone ADD COLUMN noun TEXT;
ALTER TABLE tombstone ADD COLUMN origin_id INTEGER;

-- Parts of a workout of several sports.
CREATE TABLE workout_activity (
  workout_id INTEGER NOT NULL REFERENCES workout ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  uuid       TEXT,
  start_ms   INTEGER NOT NULL,
  end_ms     INTEGER,
  duration_s REAL,                -- without pauses
  metadata   TEXT,                -- a JSON object
  PRIMARY KEY (workout_id, position)
) STRICT, WITHOUT ROWID;
-- Position of the part that it belongs to; null for the whole workout.
ALTER TABLE workout_statistic ADD COLUMN activity INTEGER;
ALTER TABLE workout_event     ADD COLUMN activity INTEGER;

CREATE TABLE document (
  document_id INTEGER PRIMARY KEY,
  noun        TEXT    NOT NULL,   -- `route`, `ecg`, `activitySummary`, ..
  id          BLOB    NOT NULL UNIQUE,
  seq         INTEGER NOT NULL,
  origin_id   INTEGER NOT NULL REFERENCES origin,
  format_id   INTEGER NOT NULL REFERENCES format,
  start_ms    INTEGER NOT NULL,
  end_ms      INTEGER NOT NULL,
  local_date  TEXT,               -- of what belongs to a day (2026-01-10)
  source_id   INTEGER REFERENCES source,
  device_id   INTEGER REFERENCES device,
  created_ms  INTEGER,
  workout_id  INTEGER REFERENCES workout ON DELETE SET NULL,
  body        TEXT    NOT NULL,   -- a JSON object
  halves      TEXT,               -- half of the last printed digit of numbers of body, by name
  metadata    TEXT,               -- a JSON object
  points      INTEGER NOT NULL,   -- of its series
  digest      BLOB                -- SHA-256 of its series
) STRICT;
CREATE INDEX document_start ON document (noun, start_ms, id);
CREATE INDEX document_seq ON document (seq);
CREATE INDEX document_workout ON document (workout_id) WHERE workout_id IS NOT NULL;
-- Points of a route, voltages of an ECG: see core/src/series.rs for the bytes.
CREATE TABLE series (
  series_id   INTEGER PRIMARY KEY,
  document_id INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  points      INTEGER NOT NULL,
  data        BLOB    NOT NULL,
  UNIQUE (document_id, position)
) STRICT;
";

/// Version 3: whose history the sequence is, what rows were before they changed or went, how long
/// samples are, and which source is believed first. Triggers see every writer.
const HISTORY: &str = "
-- One row a transaction that took places of the sequence, at the last of them. A store that was
-- replaced, or restored from a copy and written to since, has other tokens.
CREATE TABLE history (
  seq   INTEGER PRIMARY KEY,
  token BLOB NOT NULL             -- 16 random bytes
) STRICT;
INSERT INTO history VALUES (0, randomblob(16));
INSERT INTO history SELECT seq, randomblob(16) FROM counter WHERE seq > 0;
CREATE TRIGGER counter_moved AFTER UPDATE OF seq ON counter WHEN new.seq > old.seq
BEGIN
  INSERT INTO history VALUES (new.seq, randomblob(16));
END;

-- What a deleted sample was, for those who may see some categories only.
CREATE TABLE departed (
  id          BLOB    PRIMARY KEY,
  start_ms    INTEGER NOT NULL,
  category_id INTEGER
) STRICT, WITHOUT ROWID;
CREATE TRIGGER sample_departed BEFORE DELETE ON sample
BEGIN
  INSERT OR REPLACE INTO departed VALUES (old.id, old.start_ms, old.category_id);
END;

-- What the category of a sample was before the write at this place.
CREATE TABLE recategorized (
  seq         INTEGER PRIMARY KEY,
  kind_id     INTEGER NOT NULL,
  start_ms    INTEGER NOT NULL,
  id          BLOB    NOT NULL,
  origin_id   INTEGER NOT NULL,
  category_id INTEGER
) STRICT;
CREATE TRIGGER sample_recategorized AFTER UPDATE OF category_id ON sample
WHEN old.category_id IS NOT new.category_id
BEGIN
  INSERT OR REPLACE INTO recategorized
  VALUES (new.seq, new.kind_id, new.start_ms, new.id, new.origin_id, old.category_id);
END;

-- From start to end, at most: a range of totals begins so much earlier.
ALTER TABLE tally ADD COLUMN longest_ms INTEGER NOT NULL DEFAULT 0;
UPDATE tally SET longest_ms = coalesce(
  (SELECT max(end_ms - start_ms) FROM sample
   WHERE sample.kind_id = tally.kind_id AND sample.origin_id = tally.origin_id), 0);

-- Which source is believed first, as the owner said.
CREATE TABLE preference (
  kind     TEXT    NOT NULL,      -- '' for all
  origin   TEXT    NOT NULL,      -- '' for all
  position INTEGER NOT NULL,      -- from 0 on
  source   TEXT    NOT NULL,      -- canonical name
  PRIMARY KEY (kind, origin, position)
) STRICT, WITHOUT ROWID;
";

/// Version 4: what was deleted is told with its deletion, of whatever noun.
const DELETIONS: &str = "
-- What a thing was when it was deleted, for those who may see some categories only.
ALTER TABLE tombstone ADD COLUMN start_ms INTEGER;
ALTER TABLE tombstone ADD COLUMN category_id INTEGER;
UPDATE tombstone SET (start_ms, category_id) =
  (SELECT start_ms, category_id FROM departed WHERE departed.id = tombstone.id);
DROP TRIGGER sample_departed;
DROP TABLE departed;
";

/// Version 5: the order in which samples were written, in few bytes instead of an index that held each id a
/// second time.
const WRITTEN: &str = "
-- Up to some hundred samples, in the order of writing (core/src/store/written.rs). A sample that was written again
-- or deleted since is not where its former place says.
-- Whoever writes samples writes here as well: copies, packs and kept totals follow it.
CREATE TABLE written (
  seq    INTEGER PRIMARY KEY,     -- of the last of them
  places BLOB    NOT NULL         -- of each seq, kind_id, start_ms, and of some the id
) STRICT;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(i64::try_from(STEPS.len()), Ok(VERSION));
    }
}
