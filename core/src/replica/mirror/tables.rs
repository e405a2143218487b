//! The tables and views of a copy.
//!
//! | | |
//! |---|---|
//! | `samples` | as `fetch --format sqlite --include-metadata` makes it |
//! | `workouts` | `id`, `activity`, `startDate`, `endDate`, `durationS`, .., statistics and events in `body` |
//! | `correlations` | `id`, `type`, .., members in `body` |
//! | `documents` | `id`, `noun` (`route`, `ecg`, ..), .., content in `body` |
//! | `route_point`, `ecg_voltage` | the series of documents, see [`series`] |
//! | `daily_totals` | totals by local day, as `fetch --aggregate daily` has them |
//! | `daily_steps` (view) | `date`, `origin`, `steps` |
//! | `sleep_nights` (view) | `date`, `origin`, minutes asleep, by stage, awake and in bed |
//! | `workout_totals` (view) | `startDate`, `activity`, minutes, distance, energy |
//!
//! Dates are texts of one length in UTC (`2026-01-10T05:00:00.000Z`), days are local.

use super::series;
use crate::replica::samples;

/// What tables of a full copy are called while it is being gathered.
pub(super) const STAGED: &str = "staged_";

const NAMES: [&str; 6] = [
    "samples",
    "workouts",
    "correlations",
    "documents",
    "route_point",
    "ecg_voltage",
];

/// Everything that a new copy has.
pub(super) fn all() -> String {
    format!("{rows}{OTHERS}{COUNTS}{VIEWS}", rows = rows(""))
}

/// The tables of a full copy.
pub(super) fn make_staged() -> String {
    rows(STAGED)
}

/// Takes away what an earlier full copy has gathered.
pub(super) fn drop_staged() -> String {
    NAMES
        .map(|name| format!("DROP TABLE IF EXISTS {STAGED}{name};\n"))
        .concat()
}

/// The tables of a full copy take the place of the others.
pub(super) fn swap() -> String {
    let swaps = NAMES
        .map(|name| format!("DROP TABLE {name};\nALTER TABLE {STAGED}{name} RENAME TO {name};\n"));
    // Views name the tables: they are made anew when these are there again.
    format!("{DROP_VIEWS}{swaps}{VIEWS}", swaps = swaps.concat())
}

fn rows(prefix: &str) -> String {
    let of = |name: &str, first: &str| {
        format!(
            "CREATE TABLE {prefix}{name} (
               id           TEXT NOT NULL PRIMARY KEY,
               {first}
               startDate    TEXT,
               endDate      TEXT,
               sourceName   TEXT,
               origin       TEXT,
               device       TEXT,
               creationDate TEXT,
               metadata     TEXT,
               body         TEXT
             ) STRICT, WITHOUT ROWID;\n"
        )
    };
    [
        samples::named_table(&format!("{prefix}samples"), true),
        ";\n".to_owned(),
        of("workouts", "activity     TEXT,"),
        of("correlations", "type         TEXT,"),
        of("documents", "noun         TEXT NOT NULL,"),
        series::tables(prefix),
    ]
    .concat()
}

const OTHERS: &str = "
CREATE TABLE daily_totals (
  date      TEXT NOT NULL,
  type      TEXT NOT NULL,
  category  TEXT NOT NULL,        -- '' for quantities
  origin    TEXT NOT NULL,
  unit      TEXT NOT NULL,
  total     REAL,
  average   REAL,
  min       REAL,
  max       REAL,
  count     INTEGER NOT NULL,
  startDate TEXT NOT NULL,
  endDate   TEXT NOT NULL,
  PRIMARY KEY (type, date, category, origin, unit)
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_state (         -- one row
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  pair          TEXT    NOT NULL,
  cursor        TEXT,
  is_staging    INTEGER NOT NULL,
  staged_cursor TEXT,
  -- Of daily_totals: the earliest start of a sample that they do not know; null: they know all.
  totals_from_ms INTEGER,
  timezone      TEXT              -- whose days they are; null: there are none yet
) STRICT;
INSERT INTO sync_state VALUES (1, '', NULL, 0, NULL, NULL, NULL);
";

/// How many samples the tables hold: counting them for each line would take the longer the more there are.
pub(super) const COUNTS: &str = "
ALTER TABLE sync_state ADD COLUMN samples        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sync_state ADD COLUMN staged_samples INTEGER NOT NULL DEFAULT 0;
";

/// Counts what an older version has not.
pub(super) fn count(prefix: &str) -> String {
    format!("UPDATE sync_state SET {prefix}samples = (SELECT count(*) FROM {prefix}samples);")
}

const DROP_VIEWS: &str = "
DROP VIEW IF EXISTS daily_steps;
DROP VIEW IF EXISTS sleep_nights;
DROP VIEW IF EXISTS workout_totals;
";

const VIEWS: &str = "
CREATE VIEW daily_steps AS
SELECT date, origin, total AS steps FROM daily_totals WHERE type = 'steps';
CREATE VIEW sleep_nights AS
SELECT date, origin,
       sum(total) FILTER (WHERE category LIKE 'asleep%')     AS asleepMinutes,
       sum(total) FILTER (WHERE category = 'asleepCore')     AS coreMinutes,
       sum(total) FILTER (WHERE category = 'asleepDeep')     AS deepMinutes,
       sum(total) FILTER (WHERE category = 'asleepREM')      AS remMinutes,
       sum(total) FILTER (WHERE category = 'awake')          AS awakeMinutes,
       sum(total) FILTER (WHERE category = 'inBed')          AS inBedMinutes
FROM daily_totals WHERE type = 'sleepAnalysis' GROUP BY date, origin;
CREATE VIEW workout_totals AS
SELECT id, startDate, endDate, activity, origin, sourceName,
       json_extract(body, '$.durationS') / 60.0 AS minutes,
       (SELECT sum(json_extract(value, '$.sum')) FROM json_each(body, '$.statistics')
        WHERE json_extract(value, '$.type') LIKE 'distance%'
          AND json_extract(value, '$.activity') IS NULL) AS distanceM,
       (SELECT sum(json_extract(value, '$.sum')) FROM json_each(body, '$.statistics')
        WHERE json_extract(value, '$.type') = 'activeEnergyBurned'
          AND json_extract(value, '$.activity') IS NULL) AS activeEnergyKcal
FROM workouts;
";
