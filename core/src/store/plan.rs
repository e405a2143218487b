//! Turning a query into conditions on the clustered table, one part a type.

use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{StoreError, packs::At, scan::unsigned};
use crate::query::Query;

/// The parts of an answer, in order.
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
}

/// The samples of one type that a query asks for: `SELECT .. FROM sample` + `condition`.
pub(super) struct Part {
    pub(super) kind_id: i64,
    /// Name of the type.
    pub(super) kind: String,
    /// Where they stand.
    pub(super) stretch: Stretch,
    /// All samples of the stretch are asked for.
    pub(super) is_whole: bool,
    /// Begins with `WHERE`; all values are parameters. Equal questions have equal text, so that
    /// prepared statements are found again.
    pub(super) condition: String,
    pub(super) parameters: Vec<Value>,
    /// How many rows there are, if that is known without a look at them.
    pub(super) known_rows: Option<u64>,
}

/// Some neighbouring samples of a type; by default all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First instant.
    pub(super) from_ms: Option<i64>,
    /// First instant behind it.
    pub(super) to_ms: Option<i64>,
    /// Last row before it.
    pub(super) behind: Option<At>,
    /// First row behind it.
    pub(super) before: Option<At>,
}

impl Stretch {
    /// Whether this place is not behind it.
    pub(super) fn reaches(&self, at: At) -> bool {
        self.to_ms.is_none_or(|to| at.0 < to) && self.before.is_none_or(|before| at < before)
    }

    /// All samples of a type that stand there, as [`Part::condition`] says it.
    pub(super) fn condition(&self, kind_id: i64) -> (String, Vec<Value>) {
        let mut condition = "WHERE kind_id = ?".to_owned();
        let mut parameters = vec![Value::Integer(kind_id)];
        let mut push = |text: &str, values: &mut dyn Iterator<Item = Value>| {
            condition.push_str(text);
            parameters.extend(values);
        };
        // One bound of the time at each end, so that SQLite cannot walk from a farther one.
        let from_ms = self.from_ms.max(self.behind.map(|(start_ms, _)| start_ms));
        if let Some(from) = from_ms {
            push(" AND start_ms >= ?", &mut [from.into()].into_iter());
        }
        if let Some((start_ms, _)) = self.before {
            push(" AND start_ms <= ?", &mut [start_ms.into()].into_iter());
        } else if let Some(to) = self.to_ms {
            push(" AND start_ms < ?", &mut [to.into()].into_iter());
        }
        for (place, text) in [
            (self.behind, " AND (start_ms, id) > (?, ?)"),
            (self.before, " AND (start_ms, id) < (?, ?)"),
        ] {
            if let Some((start_ms, id)) = place {
                let position = [start_ms.into(), id.to_vec().into()];
                push(text, &mut position.into_iter());
            }
        }
        (condition, parameters)
    }
}

/// Which category values of a type are asked for.
enum Categories {
    All,
    Named(Vec<String>),
}

impl Plan {
    pub(super) fn new(connection: &Connection, query: &Query) -> Result<Self, StoreError> {
        let mut wanted: BTreeMap<&str, Categories> = BTreeMap::new();
        for selector in &query.types {
            let categories = wanted
                .entry(selector.kind.as_str())
                .or_insert_with(|| Categories::Named(Vec::new()));
            match (&selector.category, &mut *categories) {
                (None, _) => *categories = Categories::All,
                (Some(name), Categories::Named(names)) => names.push(name.clone()),
                (Some(_), Categories::All) => {}
            }
        }
        let origins = match query.origins.as_slice() {
            [] => None,
            names => Some(numbers(connection, "origin", names)?),
        };
        let mut statement = connection.prepare_cached("SELECT id, name FROM kind ORDER BY name")?;
        let mut rows = statement.query([])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, kind): (i64, String) = (row.get(0)?, row.get(1)?);
            let categories = match wanted.get(kind.as_str()) {
                Some(Categories::Named(names)) => Some(numbers(connection, "category", names)?),
                Some(Categories::All) => None,
                None if query.types.is_empty() => None,
                None => continue,
            };
            let (origins, categories) = (origins.as_deref(), categories.as_deref());
            parts.extend(part(connection, query, id, kind, origins, categories)?);
        }
        Ok(Self { parts })
    }
}

/// The part of one type; `None` when it cannot hold a row.
fn part(
    connection: &Connection,
    query: &Query,
    kind_id: i64,
    kind: String,
    origins: Option<&[i64]>,
    categories: Option<&[i64]>,
) -> Result<Option<Part>, StoreError> {
    let mut stretch = Stretch {
        from_ms: query.start_ms,
        to_ms: query.end_ms,
        ..Stretch::default()
    };
    if let Some(cursor) = &query.cursor {
        if kind < cursor.kind {
            return Ok(None);
        }
        // A query that starts later than its cursor has nothing to pass over.
        if kind == cursor.kind && query.start_ms.is_none_or(|start| start <= cursor.start_ms) {
            stretch.from_ms = None;
            stretch.behind = Some((cursor.start_ms, cursor.id));
        }
    }
    let (mut condition, mut parameters) = stretch.condition(kind_id);
    for (column, numbers) in [("origin_id", origins), ("category_id", categories)] {
        if let Some(numbers) = numbers {
            if numbers.is_empty() {
                return Ok(None);
            }
            let marks = vec!["?"; numbers.len()].join(", ");
            condition.extend([" AND ", column, " IN (", &marks, ")"]);
            parameters.extend(numbers.iter().map(|number| Value::Integer(*number)));
        }
    }
    // Rows are counted by type and origin as they are written.
    let known_rows = if stretch == Stretch::default() && categories.is_none() {
        let sql = format!("SELECT coalesce(sum(samples), 0) FROM tally {condition}");
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_row(params_from_iter(&parameters), |row| row.get(0))?;
        Some(unsigned(rows))
    } else {
        None
    };
    Ok(Some(Part {
        kind_id,
        kind,
        stretch,
        is_whole: origins.is_none() && categories.is_none(),
        condition,
        parameters,
        known_rows,
    }))
}

/// The numbers of these names; names that the store does not hold have none.
pub(super) fn numbers(
    connection: &Connection,
    table: &str,
    names: &[String],
) -> Result<Vec<i64>, StoreError> {
    let sql = format!("SELECT id FROM {table} WHERE name = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut numbers = Vec::new();
    for name in names {
        let mut rows = statement.query([name])?;
        if let Some(row) = rows.next()? {
            numbers.push(row.get(0)?);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}
