//! Which workouts, correlations or documents a caller wants, and the pages in which it gets them.

use std::{
    fmt::{self, Write as _},
    ops::ControlFlow,
    str::FromStr,
};

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::{StoreError, plan::numbers, scan::unsigned};
use crate::{
    identity::Id,
    query::{InvalidCursor, from_hex},
};

/// Which workouts, correlations or documents, in the order (start, id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Those that start at or after this instant, milliseconds UTC.
    pub start_ms: Option<i64>,
    /// Those that start before this instant.
    pub end_ms: Option<i64>,
    /// Only these origins; empty means all.
    pub origins: Vec<String>,
    /// Go on behind this position.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// A position in the order (start, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Start of the last one that was handed on.
    pub start_ms: i64,
    /// Its id.
    pub id: Id,
}

/// Of a place; a cursor of samples is of the version before.
const CURSOR_VERSION: u8 = 2;

impl fmt::Display for Place {
    /// Opaque text to clients: version (1 byte), start (8, big-endian), id (16), in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CURSOR_VERSION:02x}")?;
        let start = self.start_ms.to_be_bytes();
        start
            .iter()
            .chain(&self.id)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Place {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = from_hex(text).ok_or(InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor)?;
        let (start, rest) = rest.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let id = Id::try_from(rest).map_err(|_| InvalidCursor)?;
        if *version != CURSOR_VERSION {
            return Err(InvalidCursor);
        }
        Ok(Self {
            start_ms: i64::from_be_bytes(*start),
            id,
        })
    }
}

/// What a paged scan did besides calling its sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paged {
    /// How many were handed on.
    pub count: u64,
    /// Where the next page begins, if the limit cut the answer.
    pub next: Option<Place>,
}

/// Reads the rows of `table` in `range`, one by one. `select` has the columns; the first two are
/// `start_ms` and `id`. `more` is a condition with its parameters, and begins with ` AND`.
pub(super) fn scan<T>(
    connection: &Connection,
    select: &str,
    (more, parameters): (&str, &[Value]),
    range: &Range,
    read: &mut dyn FnMut(&Row<'_>) -> Result<T, StoreError>,
    sink: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> Result<Paged, StoreError> {
    let mut sql = format!("{select} WHERE 1{more}");
    let mut parameters = parameters.to_vec();
    if let Some(start) = range.start_ms {
        sql.push_str(" AND it.start_ms >= ?");
        parameters.push(start.into());
    }
    if let Some(end) = range.end_ms {
        sql.push_str(" AND it.start_ms < ?");
        parameters.push(end.into());
    }
    if !range.origins.is_empty() {
        let origins = numbers(connection, "origin", &range.origins)?;
        let marks = vec!["?"; origins.len()].join(", ");
        // Writing to a string cannot fail.
        let _ = write!(sql, " AND it.origin_id IN ({marks})");
        parameters.extend(origins.into_iter().map(Value::from));
    }
    if let Some(Place { start_ms, id }) = range.after {
        sql.push_str(" AND (it.start_ms, it.id) > (?, ?)");
        parameters.extend([start_ms.into(), id.to_vec().into()]);
    }
    sql.push_str(" ORDER BY it.start_ms, it.id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(&parameters))?;
    let mut paged = Paged::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        if range.limit.is_some_and(|limit| paged.count >= limit) {
            // A limit of nothing has no place to go on from but the one it came with.
            paged.next = last.or(range.after);
            break;
        }
        last = Some(Place {
            start_ms: row.get(0)?,
            id: row.get(1)?,
        });
        paged.count += 1;
        if sink(read(row)?).is_break() {
            break;
        }
    }
    Ok(paged)
}

/// A count as SQLite keeps it.
pub(super) fn points(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(unsigned(row.get(column)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_opaque_text_that_reads_back() {
        let place = Place {
            start_ms: -1,
            id: [0xab; 16],
        };
        let text = place.to_string();
        assert_eq!(text.parse(), Ok(place));
        assert_eq!(text, format!("02{}{}", "ff".repeat(8), "ab".repeat(16)));
        for wrong in [
            "",
            "02",
            &text[2..],
            &text[..48],
            &format!("{text}00"),
            &text.replace("02", "01"),
            &text.to_uppercase(),
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(InvalidCursor), "{wrong}");
        }
    }
}
