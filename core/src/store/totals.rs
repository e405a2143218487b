//! Totals over the samples of the store: one walk a type, in the order of start.

mod kept;
mod out;

use std::{collections::HashMap, ops::ControlFlow};

use rusqlite::{Connection, params_from_iter};

pub use self::kept::KeptTotals;
use self::out::Out;
use super::{
    Store, StoreError,
    plan::{Part, Plan, numbers},
    priority::{Priority, Ranks},
};
use crate::{
    aggregate::{
        Aggregator, Calendar, Content, Discrete, Entry, Figure, GAP_MS, Stage, TooManyOverlaps,
        TotalsBatch, TotalsRow, Value,
    },
    api::Code,
    kind::{Kind, Selector, Style},
    query::Query,
    report::Hint,
};

/// How far back a sleep is looked for that began before the range: two days.
const SLEEP_MS: i64 = 2 * 86_400_000;

/// Unit of the durations of category values.
const MINUTES: &str = "min";

/// Totals could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TotalsError {
    /// They would need unbounded memory.
    #[error("the totals of {kind} cannot be made")]
    Overlaps {
        /// Of this type.
        kind: String,
        /// Why.
        source: TooManyOverlaps,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for TotalsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Hint for TotalsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Overlaps { .. } => Code::TooManyOverlaps.as_str(),
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Overlaps { .. } => Some(Code::TooManyOverlaps.advice().to_owned()),
            Self::Store(error) => error.hint(),
        }
    }
}

impl Store {
    /// Hands the totals of `query` to `sink`, batch by batch, in the order type, time, origin, unit,
    /// category. The range grows to whole buckets; limit, offset and cursor do not count. `Break`
    /// ends the walk early. Every number comes from samples that `query` names, and from no other.
    /// What is in `kept` is not read again; the numbers are the same.
    pub fn totals(
        &self,
        query: &Query,
        calendar: &Calendar,
        kept: Option<&KeptTotals>,
        sink: &mut dyn FnMut(TotalsBatch) -> ControlFlow<()>,
    ) -> Result<u64, TotalsError> {
        self.snapshot(|store| {
            let (start_ms, end_ms) = calendar.widen(query.start_ms, query.end_ms);
            let query = Query {
                start_ms,
                end_ms,
                limit: None,
                offset: 0,
                cursor: None,
                ..query.clone()
            };
            let walk = Walk::new(&store.connection)?;
            let mut out = Out::new(sink);
            for kind in walk.kinds(&query)? {
                // What lies outside is no row, so it need not be cut into buckets.
                let calendar = &calendar.clone().within(query.start_ms, query.end_ms);
                match kept {
                    Some(kept) if walk.hours(&kind, &query, calendar, kept, &mut out)? => {}
                    Some(_) | None => walk.kind(&kind, &query, calendar, &mut out)?,
                }
                if !out.check()? {
                    return Ok(out.count);
                }
            }
            out.flush()?;
            Ok(out.count)
        })
    }
}

/// The names that rows give by number.
struct Walk<'c> {
    connection: &'c Connection,
    priority: Priority,
    origins: Names,
    units: Names,
    categories: Names,
}

/// Names in order, and the place of each number among them.
struct Names {
    sorted: Vec<String>,
    places: HashMap<i64, u32>,
}

impl Names {
    fn new(connection: &Connection, table: &str) -> Result<Self, StoreError> {
        let sql = format!("SELECT id, name FROM {table} ORDER BY name");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let (mut sorted, mut places) = (Vec::new(), HashMap::new());
        while let Some(row) = rows.next()? {
            let place = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
            places.insert(row.get(0)?, place);
            sorted.push(row.get(1)?);
        }
        Ok(Self { sorted, places })
    }

    fn len(&self) -> u32 {
        u32::try_from(self.sorted.len()).unwrap_or(u32::MAX)
    }

    fn place(&self, id: i64) -> u32 {
        self.places.get(&id).copied().unwrap_or(u32::MAX)
    }

    fn name(&self, place: u32) -> &str {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.sorted.get(place).map_or("", String::as_str)
    }
}

impl<'c> Walk<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            priority: Priority::new(connection)?,
            origins: Names::new(connection, "origin")?,
            units: Names::new(connection, "unit")?,
            categories: Names::new(connection, "category")?,
        })
    }

    /// The types that the query asks for.
    fn kinds(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let plan = Plan::new(self.connection, query)?;
        Ok(plan.parts.into_iter().map(|part| part.kind).collect())
    }

    /// The samples that the totals of a type depend on: some begin before the range and reach into
    /// it, and whether a sleep ends in the range is known some time behind it.
    fn part(&self, kind: &str, query: &Query, is_sleep: bool) -> Result<Option<Part>, StoreError> {
        let sql = "SELECT coalesce(max(longest_ms), 0) FROM tally
                   WHERE kind_id = (SELECT id FROM kind WHERE name = ?1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let longest_ms: i64 = statement.query_row([kind], |row| row.get(0))?;
        let (back_ms, ahead_ms) = if is_sleep {
            (longest_ms.saturating_add(SLEEP_MS), GAP_MS)
        } else {
            (longest_ms, 0)
        };
        let named = query
            .types
            .iter()
            .filter(|selector| *selector.kind == *kind);
        let mut types: Vec<Selector> = named.cloned().collect();
        if types.is_empty() {
            types.push(Selector {
                kind: Kind::stored(kind),
                category: None,
            });
        }
        let query = Query {
            types,
            start_ms: query.start_ms.map(|start| start.saturating_sub(back_ms)),
            end_ms: query.end_ms.map(|end| end.saturating_add(ahead_ms)),
            ..query.clone()
        };
        Ok(Plan::new(self.connection, &query)?.parts.pop())
    }

    fn kind(
        &self,
        kind: &str,
        query: &Query,
        calendar: &Calendar,
        out: &mut Out<'_>,
    ) -> Result<(), TotalsError> {
        let is_sleep = kind == "sleepAnalysis";
        let Some(part) = self.part(kind, query, is_sleep)? else {
            return Ok(());
        };
        let mut aggregator = Aggregator::new(Kind::stored(kind).style(), is_sleep, calendar);
        if is_sleep {
            for (category, name) in (0..).zip(&self.categories.sorted) {
                aggregator.stage(category, Stage::of(name));
            }
        }
        let mut ranks: HashMap<i64, Ranks<'_>> = HashMap::new();
        let is_wanted = |figure: &Figure| is_within(query, figure.bucket.start_ms);
        let sql = format!(
            "SELECT start_ms, end_ms, origin_id, source_id, unit_id, value, category_id, device_id
             FROM sample {} ORDER BY start_ms, id",
            part.condition
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(&part.parameters))?;
        while let Some(row) = rows.next()? {
            let content = match (row.get(5)?, row.get(6)?) {
                (Some(value), _) => Content::Quantity(value),
                (None, Some(category)) => Content::Category(self.categories.place(category)),
                // Says nothing that could be added up.
                (None, None) => continue,
            };
            let origin: i64 = row.get(2)?;
            let place = self.origins.place(origin);
            let ranks = ranks
                .entry(origin)
                .or_insert_with(|| self.priority.ranks(kind, self.origins.name(place)));
            let entry = Entry {
                start_ms: row.get(0)?,
                end_ms: row.get(1)?,
                series: self.series(place, row.get(4)?),
                rank: ranks.rank(row.get(3)?, row.get(7)?),
                content,
            };
            let pushed = aggregator.push(&entry, &mut |figure| {
                if !is_wanted(&figure) {
                    return ControlFlow::Continue(());
                }
                self.put(kind, &figure, calendar, out)
            });
            pushed.map_err(|source| TotalsError::Overlaps {
                kind: kind.to_owned(),
                source,
            })?;
            if !out.check()? {
                return Ok(());
            }
        }
        aggregator.finish(&mut |figure| {
            if !is_wanted(&figure) {
                return ControlFlow::Continue(());
            }
            self.put(kind, &figure, calendar, out)
        });
        Ok(())
    }

    /// The totals of a type from kept hours; whether there are some that fit.
    fn hours(
        &self,
        kind: &str,
        query: &Query,
        calendar: &Calendar,
        kept: &KeptTotals,
        out: &mut Out<'_>,
    ) -> Result<bool, TotalsError> {
        let Some(hours) = kept.hours(self.connection, kind, query, calendar)? else {
            return Ok(false);
        };
        let origins = numbers(self.connection, "origin", &query.origins)?;
        let mut spreads =
            Discrete::new(calendar.clone(), Kind::stored(kind).style() == Style::Level);
        for hour in &hours.rows {
            let is_asked = query.origins.is_empty() || origins.contains(&hour.origin_id);
            if !is_asked || !is_within(query, hour.start_ms) {
                continue;
            }
            let series = self.series(self.origins.place(hour.origin_id), hour.unit_id);
            spreads.add(hour.start_ms, series, hour.spread, &mut |figure| {
                self.put(kind, &figure, calendar, out)
            });
            if !out.check()? {
                return Ok(true);
            }
        }
        spreads.finish(&mut |figure| self.put(kind, &figure, calendar, out));
        Ok(true)
    }

    /// A number for each pair of origin and unit, in the order of their names.
    fn series(&self, origin: u32, unit_id: i64) -> u32 {
        (origin.saturating_mul(self.units.len())).saturating_add(self.units.place(unit_id))
    }

    fn put(
        &self,
        kind: &str,
        figure: &Figure,
        calendar: &Calendar,
        out: &mut Out<'_>,
    ) -> ControlFlow<()> {
        let units = self.units.len().max(1);
        let (total, spread) = match figure.value {
            Value::Total(total) => (Some(total), None),
            Value::Spread { average, min, max } => (None, Some([average, min, max])),
            Value::Duration(ms) => (Some(minutes(ms)), None),
        };
        out.push(&TotalsRow {
            date: &calendar.label(figure.bucket),
            kind,
            total,
            spread,
            count: figure.count,
            unit: match figure.value {
                Value::Duration(_) => MINUTES,
                Value::Total(_) | Value::Spread { .. } => self.units.name(figure.series % units),
            },
            category: figure.category.map(|place| self.categories.name(place)),
            origin: self.origins.name(figure.series / units),
            bucket: figure.bucket,
        })
    }
}

fn is_within(query: &Query, start_ms: i64) -> bool {
    query.start_ms.is_none_or(|start| start <= start_ms)
        && query.end_ms.is_none_or(|end| start_ms < end)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a duration is far below 2^53 ms"
)]
fn minutes(ms: i64) -> f64 {
    ms as f64 / 60_000.0
}

#[cfg(test)]
mod tests;
