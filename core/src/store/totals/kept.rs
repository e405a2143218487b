//! Spreads of whole hours, kept between queries, so that ten years of heart rate are read once.
//!
//! ```text
//! sample ──► Hours: a Spread for each hour of UTC, origin and unit ──► days of any zone of whole hours
//!   ▲                     │
//!   └── what was written or deleted behind its place in the sequence: those hours are read again
//! ```
//!
//! Nothing of it is at rest: a server that starts reads anew. Days of them equal those of the samples to
//! the bit, because samples are added up hour by hour as well ([`crate::aggregate`]).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    aggregate::{Calendar, HOUR_MS, Spread},
    kind::{Kind, Style},
    query::Query,
    store::{StoreError, changes::token, written},
};

/// With fewer samples of a type nothing is worth keeping.
const WORTH: u64 = 100_000;
/// Nor is it for shorter ranges: a quarter of a year.
const LONG_MS: i64 = 92 * 86_400_000;
/// Hours that are kept of all types together, 64 bytes each.
const MOST: usize = 200_000;
/// More hours than these are not read one by one.
const TOUCHED: usize = 5_000;

const READ: &str = "SELECT start_ms, end_ms, origin_id, unit_id, value, category_id FROM sample";

/// What is kept, for all who ask.
#[derive(Debug)]
pub struct KeptTotals {
    worth: u64,
    /// By number of the type; what was asked for last is last.
    types: Mutex<Vec<(i64, Arc<Hours>)>>,
}

/// The hours of one type.
#[derive(Debug)]
pub(super) struct Hours {
    /// As of this place in the sequence.
    seq: i64,
    /// Of whoever took that place.
    token: [u8; 16],
    /// By hour, origin and unit.
    pub(super) rows: Vec<Hour>,
    /// The type has values that are not numbers, or too many hours: nothing is kept of it.
    is_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hour {
    pub(super) start_ms: i64,
    pub(super) origin_id: i64,
    pub(super) unit_id: i64,
    pub(super) spread: Spread,
}

impl Default for KeptTotals {
    fn default() -> Self {
        Self::of_types_with(WORTH)
    }
}

impl KeptTotals {
    /// Of types with at least so many samples.
    pub const fn of_types_with(samples: u64) -> Self {
        Self {
            worth: samples,
            types: Mutex::new(Vec::new()),
        }
    }

    /// The hours from which the totals of a type can be made as this query wants them, as of the
    /// connection's snapshot. `None`: they are to be made from the samples.
    pub(super) fn hours(
        &self,
        connection: &Connection,
        kind: &str,
        query: &Query,
        calendar: &Calendar,
    ) -> Result<Option<Arc<Hours>>, StoreError> {
        let style = Kind::stored(kind).style();
        let is_part = |selector: &crate::kind::Selector| {
            *selector.kind == *kind && selector.category.is_some()
        };
        let is_asked_whole = query.length_ms() >= LONG_MS && !query.types.iter().any(is_part);
        if style == Style::Cumulative || !is_asked_whole || !has_whole_hours(calendar) {
            return Ok(None);
        }
        let sql = "SELECT kind_id, sum(samples) FROM tally
                   WHERE kind_id = (SELECT id FROM kind WHERE name = ?1) GROUP BY kind_id";
        let mut statement = connection.prepare_cached(sql)?;
        let held = statement.query_row([kind], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
        let Some((kind_id, samples)) = held.optional()? else {
            return Ok(None);
        };
        if u64::try_from(samples).is_ok_and(|samples| samples < self.worth) {
            return Ok(None);
        }
        let before = self.find(kind_id);
        let Some(hours) = brought_up(connection, kind_id, style == Style::Level, before)? else {
            return Ok(None);
        };
        self.keep(kind_id, &hours);
        Ok((!hours.is_refused && hours.fit(calendar)).then_some(hours))
    }

    fn find(&self, kind_id: i64) -> Option<Arc<Hours>> {
        let types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        let found = types.iter().find(|(id, _)| *id == kind_id);
        found.map(|(_, hours)| Arc::clone(hours))
    }

    fn keep(&self, kind_id: i64, hours: &Arc<Hours>) {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        types.retain(|(id, _)| *id != kind_id);
        types.push((kind_id, Arc::clone(hours)));
        let mut all: usize = types.iter().map(|(_, hours)| hours.rows.len()).sum();
        while all > MOST && !types.is_empty() {
            let (_, oldest) = types.remove(0);
            all -= oldest.rows.len();
        }
    }
}

impl Hours {
    /// Whether no hour lies in two buckets.
    fn fit(&self, calendar: &Calendar) -> bool {
        let mut end_ms = i64::MIN;
        self.rows.iter().all(|hour| {
            let next_ms = hour.start_ms.saturating_add(HOUR_MS);
            if hour.start_ms >= end_ms {
                let bucket = calendar.bucket(hour.start_ms);
                end_ms = bucket.end_ms;
                return bucket.start_ms <= hour.start_ms && next_ms <= end_ms;
            }
            next_ms <= end_ms
        })
    }
}

/// Whether days begin on whole hours of UTC, at present; [`Hours::fit`] knows about the past.
fn has_whole_hours(calendar: &Calendar) -> bool {
    const PRESENT_MS: i64 = 1_767_225_600_000;
    let bucket = calendar.clone().within(None, None).bucket(PRESENT_MS);
    bucket.start_ms.rem_euclid(HOUR_MS) == 0 && bucket.end_ms.rem_euclid(HOUR_MS) == 0
}

/// The hours as of the connection's snapshot; of what was kept before only what was written since is
/// read. `None`: nobody can say as of which place they are.
fn brought_up(
    connection: &Connection,
    kind_id: i64,
    levels: bool,
    before: Option<Arc<Hours>>,
) -> Result<Option<Arc<Hours>>, StoreError> {
    let now: i64 = connection.query_row("SELECT seq FROM counter", [], |row| row.get(0))?;
    if let Some(kept) = before
        && kept.seq <= now
        && token(connection, kept.seq)? == Some(kept.token)
    {
        if kept.seq == now || kept.is_refused {
            return Ok(Some(kept));
        }
        if let Some(touched) = touched(connection, kind_id, kept.seq)? {
            return again(connection, kind_id, levels, now, &kept, &touched);
        }
    }
    let mut rows = Vec::new();
    let mut statement =
        connection.prepare(&format!("{READ} WHERE kind_id = ?1 ORDER BY start_ms, id"))?;
    let all = gather(&mut statement.query([kind_id])?, levels, &mut rows)?;
    as_of(connection, now, all.then_some(rows))
}

fn as_of(
    connection: &Connection,
    seq: i64,
    rows: Option<Vec<Hour>>,
) -> Result<Option<Arc<Hours>>, StoreError> {
    let is_refused = rows.is_none();
    let mut rows = rows.unwrap_or_default();
    rows.shrink_to_fit();
    let hours = |token| Hours {
        seq,
        token,
        rows,
        is_refused,
    };
    Ok(token(connection, seq)?.map(|token| Arc::new(hours(token))))
}

/// The hours in which something was written or deleted behind this place; `None`: too many, or nobody
/// knows when something began that was deleted.
fn touched(
    connection: &Connection,
    kind_id: i64,
    seq: i64,
) -> Result<Option<BTreeSet<i64>>, StoreError> {
    let mut touched = BTreeSet::new();
    let mut touch = |start_ms| {
        touched.insert(hour_of(start_ms));
        if touched.len() > TOUCHED {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let written = written::behind(connection, seq, |place| {
        if place.kind_id == kind_id {
            touch(place.start_ms)
        } else {
            ControlFlow::Continue(())
        }
    })?;
    if written.is_break() {
        return Ok(None);
    }
    let sql = "SELECT start_ms FROM tombstone WHERE seq > ?1 AND kind_id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([seq, kind_id])?;
    while let Some(row) = rows.next()? {
        let start_ms: Option<i64> = row.get(0)?;
        if start_ms.is_none_or(|start_ms| touch(start_ms).is_break()) {
            return Ok(None);
        }
    }
    Ok(Some(touched))
}

/// What was kept, with these hours read again.
fn again(
    connection: &Connection,
    kind_id: i64,
    levels: bool,
    now: i64,
    kept: &Hours,
    touched: &BTreeSet<i64>,
) -> Result<Option<Arc<Hours>>, StoreError> {
    let is_same = |hour: &&Hour| !touched.contains(&hour.start_ms);
    let mut rows: Vec<Hour> = kept.rows.iter().filter(is_same).copied().collect();
    let mut statement = connection.prepare_cached(&format!(
        "{READ} WHERE kind_id = ?1 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY start_ms, id"
    ))?;
    for start_ms in touched {
        let of = params![kind_id, start_ms, start_ms.saturating_add(HOUR_MS)];
        if !gather(&mut statement.query(of)?, levels, &mut rows)? {
            return as_of(connection, now, None);
        }
    }
    rows.sort_unstable_by_key(|hour| (hour.start_ms, hour.origin_id, hour.unit_id));
    as_of(connection, now, Some(rows))
}

/// Adds up samples that come in the order of their start; whether all are numbers, in few hours.
fn gather(
    samples: &mut rusqlite::Rows<'_>,
    levels: bool,
    hours: &mut Vec<Hour>,
) -> Result<bool, StoreError> {
    let mut present_ms = i64::MIN;
    let mut present: BTreeMap<(i64, i64), Spread> = BTreeMap::new();
    while let Some(row) = samples.next()? {
        let Some(value) = row.get::<_, Option<f64>>(4)? else {
            if row.get::<_, Option<i64>>(5)?.is_some() {
                return Ok(false);
            }
            continue;
        };
        let (start_ms, end_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
        if hour_of(start_ms) != present_ms {
            flush(present_ms, &mut present, hours);
            present_ms = hour_of(start_ms);
        }
        let spread = Spread::of(value, end_ms.saturating_sub(start_ms), levels);
        match present.entry((row.get(2)?, row.get(3)?)) {
            Entry::Occupied(mut known) => known.get_mut().join(&spread),
            Entry::Vacant(place) => {
                place.insert(spread);
            }
        }
        if hours.len() + present.len() > MOST {
            return Ok(false);
        }
    }
    flush(present_ms, &mut present, hours);
    Ok(true)
}

fn flush(start_ms: i64, present: &mut BTreeMap<(i64, i64), Spread>, hours: &mut Vec<Hour>) {
    let found = std::mem::take(present).into_iter();
    hours.extend(found.map(|((origin_id, unit_id), spread)| Hour {
        start_ms,
        origin_id,
        unit_id,
        spread,
    }));
}

const fn hour_of(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS)
}

#[cfg(test)]
mod tests;
