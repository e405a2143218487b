//! The points of routes and the voltages of electrocardiograms as rows.
//!
//! | | |
//! |---|---|
//! | `route_point` | `route` (the id of the document), `position`, `date`, `latitude`, .. |
//! | `ecg_voltage` | `ecg` (the id of the document), `position`, `voltage` |

use rusqlite::{Connection, ToSql, params_from_iter, types::Value};
use serde_json::value::RawValue;

use crate::{
    api::SeriesBlock,
    batch::SchemaMismatch,
    document::Noun,
    replica::{ReplicaError, samples::date_text},
    series::{CHUNK, whole_ms},
};

/// A block of `CHUNK` points is shorter.
const LONGEST_BODY: usize = 4 << 20;

/// Makes them, their names begun by `prefix`.
pub(super) fn tables(prefix: &str) -> String {
    format!(
        "CREATE TABLE {prefix}route_point (
           route              TEXT    NOT NULL,   -- id of the document
           position           INTEGER NOT NULL,   -- from 0 on
           date               TEXT,
           latitude           REAL,               -- degrees (WGS 84)
           longitude          REAL,
           elevation          REAL,               -- m
           speed              REAL,               -- m/s
           course             REAL,               -- degrees clockwise from north
           horizontalAccuracy REAL,               -- m
           verticalAccuracy   REAL,
           PRIMARY KEY (route, position)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE {prefix}ecg_voltage (
           ecg      TEXT    NOT NULL,             -- id of the document
           position INTEGER NOT NULL,             -- from 0 on, equally spaced
           voltage  REAL,                         -- in the unit that the document names: µV
           PRIMARY KEY (ecg, position)
         ) STRICT, WITHOUT ROWID;
"
    )
}

/// The table of a noun's series, and its column that names the document.
fn table(noun: Noun) -> Option<(&'static str, &'static str)> {
    match noun {
        Noun::Route => Some(("route_point", "route")),
        Noun::Ecg => Some(("ecg_voltage", "ecg")),
        _ => None,
    }
}

/// The noun whose blocks are called so.
pub(super) fn of_blocks(name: &str) -> Option<Noun> {
    let mut nouns = Noun::ALL.iter().copied();
    nouns.find(|noun| noun.blocks() == Some(name))
}

/// A document of this name was written or deleted: its former points are no longer true.
pub(super) fn forget(
    connection: &Connection,
    prefix: &str,
    noun: &str,
    id: &str,
) -> Result<(), ReplicaError> {
    if let Some((table, owner)) = noun.parse().ok().and_then(table) {
        let sql = format!("DELETE FROM {prefix}{table} WHERE {owner} = ?1");
        connection.prepare_cached(&sql)?.execute([id])?;
    }
    Ok(())
}

/// Writes a block.
pub(super) fn apply(
    connection: &Connection,
    prefix: &str,
    noun: Noun,
    id: &str,
    body: &str,
) -> Result<(), ReplicaError> {
    let Some((table, owner)) = table(noun) else {
        return Ok(());
    };
    if body.len() > LONGEST_BODY {
        return Err(damaged());
    }
    let block: SeriesBlock<'_> = serde_json::from_str(body).map_err(|_| damaged())?;
    let first = i64::try_from(block.first).map_err(|_| damaged())?;
    if block.points > CHUNK {
        return Err(damaged());
    }
    let points = i64::try_from(block.points).map_err(|_| damaged())?;
    let end = first.checked_add(points).ok_or_else(damaged)?;
    let columns = noun
        .columns()
        .iter()
        .map(|name| numbers(&block, name))
        .collect::<Result<Vec<_>, _>>()?;
    let names = noun.columns().iter().map(|name| match *name {
        "time" => "date",
        name => name,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let marks = vec!["?"; noun.columns().len()].join(", ");
    let sql = format!(
        "INSERT OR REPLACE INTO {prefix}{table} ({owner}, position, {names}) VALUES (?, ?, {marks})"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for (at, position) in (first..end).enumerate() {
        let cells = noun.columns().iter().zip(&columns).map(|(name, column)| {
            let number = column.as_ref().and_then(|column| column.get(at).copied());
            match number.flatten() {
                None => Value::Null,
                Some(time) if *name == "time" => Value::Text(date_text(whole_ms(time))),
                Some(number) => Value::Real(number),
            }
        });
        let cells: Vec<Value> = cells.collect();
        let keys: [&dyn ToSql; 2] = [&id, &position];
        let cells = cells.iter().map(|cell| -> &dyn ToSql { cell });
        statement.execute(params_from_iter(keys.into_iter().chain(cells)))?;
    }
    Ok(())
}

type Column = Option<Vec<Option<f64>>>;

/// The numbers of a column, to the bit; `None` if it has none.
fn numbers(block: &SeriesBlock<'_>, name: &str) -> Result<Column, ReplicaError> {
    let Some(column) = block.columns.get(name) else {
        return Ok(None);
    };
    let read = |text: &RawValue| match text.get().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(damaged()),
    };
    if column.len() != block.points {
        return Err(damaged());
    }
    let column = column.iter().map(|text| text.map(read).transpose());
    Ok(Some(column.collect::<Result<_, _>>()?))
}

fn damaged() -> ReplicaError {
    SchemaMismatch("a block of a series is none".to_owned()).into()
}
