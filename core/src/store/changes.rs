//! What changed since a place in the order of writing, page by page.
//!
//! ```text
//! sample ────────────────────────┐  in the order of writing (see `written`)
//! workout, correlation, document ┼──────────► what the reader may see ──► ChangeBatch
//! tombstone, recategorized ──────┘
//! ```
//!
//! A page ends at a place, not at a number of rows: what the reader may not see is passed over, and
//! the next page begins behind it.

mod ahead;
mod bodies;
mod filter;
mod samples;
mod series;

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension as _};

use self::{
    ahead::{SAMPLE, ahead, parameters, with_ids},
    filter::Filter,
};
use super::{Store, StoreError, lookup::SharedTexts, written};
use crate::{
    api::Code,
    change::{ChangeBatch, ChangeBuilder, Position, ScopeDigest},
    kind::Selector,
    report::Hint,
};

/// Bytes of metadata and bodies that fill a page.
const PAGE_BYTES: usize = 4 << 20;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesQuery {
    /// Behind this place; `None`: everything.
    pub after: Option<Position>,
    /// What may be seen; empty means all.
    pub types: Vec<Selector>,
    /// Of these origins; empty means all.
    pub origins: Vec<String>,
    /// The same in short, as the next cursor keeps it.
    pub scope: ScopeDigest,
    /// How many places a page goes on at most; at least 1.
    pub limit: u32,
    /// Also the points of routes and the voltages of electrocardiograms.
    pub series: bool,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The changes, in the order of writing.
    pub batch: ChangeBatch,
    /// Where the next page begins.
    pub next: Position,
    /// Whether there is something behind it already.
    pub has_more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The store is not the one that the cursor came from.
    #[error("the history of this store does not hold the cursor")]
    Gone,
    /// The reader's rights are not those of the cursor.
    #[error("what may be read has changed since the cursor was made")]
    ScopeChanged,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ChangesError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Hint for ChangesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Gone => Code::HistoryGone.as_str(),
            Self::ScopeChanged => Code::ScopeChanged.as_str(),
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Gone => Some(Code::HistoryGone.advice().to_owned()),
            Self::ScopeChanged => Some(Code::ScopeChanged.advice().to_owned()),
            Self::Store(error) => error.hint(),
        }
    }
}

impl Store {
    /// The next page of changes.
    pub fn changes(&self, query: &ChangesQuery) -> Result<Changes, ChangesError> {
        self.snapshot(|store| page(&store.connection, query))
    }

    /// Changes when another connection has written; cheap.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

fn page(connection: &Connection, query: &ChangesQuery) -> Result<Changes, ChangesError> {
    let now: i64 = connection.query_row("SELECT seq FROM counter", [], |row| row.get(0))?;
    let (after, blocks) = match query.after {
        None => (0, 0),
        Some(position) => {
            if position.seq > now || token(connection, position.seq)? != Some(position.token) {
                return Err(ChangesError::Gone);
            }
            if position.scope != query.scope {
                return Err(ChangesError::ScopeChanged);
            }
            (position.seq, position.blocks)
        }
    };
    let limit = usize::try_from(query.limit.max(1)).unwrap_or(usize::MAX);
    let (mut samples, end) = ahead(connection, after, limit)?;
    let end = end.unwrap_or(now);
    samples.retain(|place| place.seq <= end);
    let mut page = Page {
        connection,
        filter: Filter::new(connection, query)?,
        texts: Texts::new(connection)?,
        builder: ChangeBuilder::default(),
        samples: with_ids(connection, &samples)?,
        others: others(connection, after, end)?,
        has_series: query.series,
    };
    let before = Place { seq: after, blocks };
    let end = page.fill(before, end)?;
    let batch = page.builder.take().map_err(|error| {
        StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    })?;
    Ok(Changes {
        batch,
        next: Position {
            seq: end.seq,
            blocks: end.blocks,
            // Every place up to the last one was written by some transaction.
            token: token(connection, end.seq)?.ok_or(ChangesError::Gone)?,
            scope: query.scope,
        },
        has_more: end.seq < now || end.blocks > 0,
    })
}

/// Of the transaction that wrote this place.
pub(super) fn token(connection: &Connection, seq: i64) -> Result<Option<[u8; 16]>, StoreError> {
    let sql = "SELECT token FROM history WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([seq], |row| row.get(0)).optional()?)
}

/// What is no sample: few in most pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    Tombstone,
    /// Before the sample of the same place.
    Recategorized,
    Workout(i64),
    Correlation(i64),
    Document(i64),
}

fn others(
    connection: &Connection,
    after: i64,
    end: i64,
) -> Result<VecDeque<(i64, Other)>, StoreError> {
    let mut others = Vec::new();
    let mut add = |sql: &str, make: fn(i64) -> Other| -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([after, end])?;
        while let Some(row) = rows.next()? {
            others.push((row.get(0)?, make(row.get(1)?)));
        }
        Ok(())
    };
    add(
        "SELECT seq, 0 FROM tombstone WHERE seq > ?1 AND seq <= ?2",
        |_| Other::Tombstone,
    )?;
    add(
        "SELECT seq, 0 FROM recategorized WHERE seq > ?1 AND seq <= ?2",
        |_| Other::Recategorized,
    )?;
    add(
        "SELECT seq, workout_id FROM workout WHERE seq > ?1 AND seq <= ?2",
        Other::Workout,
    )?;
    add(
        "SELECT seq, correlation_id FROM correlation WHERE seq > ?1 AND seq <= ?2",
        Other::Correlation,
    )?;
    add(
        "SELECT seq, document_id FROM document WHERE seq > ?1 AND seq <= ?2",
        Other::Document,
    )?;
    others.sort_unstable();
    Ok(others.into())
}

/// What the numbers in a row stand for.
struct Texts<'c> {
    kind: SharedTexts<'c>,
    unit: SharedTexts<'c>,
    source: SharedTexts<'c>,
    category: SharedTexts<'c>,
    origin: SharedTexts<'c>,
    device: SharedTexts<'c>,
    metadata: SharedTexts<'c>,
}

impl<'c> Texts<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        let of = |column: &str, table: &str| {
            SharedTexts::new(
                connection,
                &format!("SELECT {column} FROM {table} WHERE id = ?1"),
            )
        };
        Ok(Self {
            kind: of("name", "kind")?,
            unit: of("name", "unit")?,
            source: of("name", "source")?,
            category: of("name", "category")?,
            origin: of("name", "origin")?,
            device: of("name", "device")?,
            metadata: of("text", "metadata")?,
        })
    }
}

/// The text of a number that may be missing.
fn text<'t>(
    texts: &'t mut SharedTexts<'_>,
    id: Option<i64>,
) -> Result<Option<&'t str>, StoreError> {
    id.map(|id| texts.text(id)).transpose()
}

struct Page<'c> {
    connection: &'c Connection,
    filter: Filter,
    texts: Texts<'c>,
    builder: ChangeBuilder,
    samples: Vec<written::Place>,
    others: VecDeque<(i64, Other)>,
    has_series: bool,
}

/// Where a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    seq: i64,
    /// Blocks of a series that are told at this place, if there are more of them; else 0.
    blocks: u32,
}

impl Place {
    const fn whole(seq: i64) -> Self {
        Self { seq, blocks: 0 }
    }
}

impl Page<'_> {
    /// Takes what lies behind `after` up to `end`; gives the place up to which the page goes.
    fn fill(&mut self, after: Place, end: i64) -> Result<Place, StoreError> {
        let blocks = self.rest_of_series(after)?;
        if blocks > 0 {
            return Ok(Place { blocks, ..after });
        }
        let mut statement = self.connection.prepare_cached(SAMPLE)?;
        let mut last = after.seq;
        for place in std::mem::take(&mut self.samples) {
            let seq = place.seq;
            let mut found = statement.query(parameters(&place))?;
            let Some(row) = found.next()? else {
                continue;
            };
            // Before the first change of a further place, never between two of the same.
            if let Some(full) = self.others_before(seq, &mut last)? {
                return Ok(full);
            }
            if self.builder.bytes() >= PAGE_BYTES {
                return Ok(Place::whole(last));
            }
            self.recategorized_at(seq)?;
            self.sample(row)?;
            last = seq;
        }
        if let Some(full) = self.others_before(i64::MAX, &mut last)? {
            return Ok(full);
        }
        Ok(Place::whole(end))
    }

    /// What is no sample and comes before this place; the place at which the page is full.
    fn others_before(&mut self, seq: i64, last: &mut i64) -> Result<Option<Place>, StoreError> {
        while let Some((at, other)) = self.others.front().copied().filter(|(at, _)| *at < seq) {
            if self.builder.bytes() >= PAGE_BYTES && at > *last {
                return Ok(Some(Place::whole(*last)));
            }
            self.others.pop_front();
            self.other(at, other)?;
            if let Other::Document(row) = other {
                let blocks = self.series(at, row, 0)?;
                if blocks > 0 {
                    return Ok(Some(Place { seq: at, blocks }));
                }
            }
            *last = at;
        }
        Ok(None)
    }

    fn recategorized_at(&mut self, seq: i64) -> Result<(), StoreError> {
        if let Some((at, other)) = self.others.front().copied()
            && at == seq
        {
            self.others.pop_front();
            self.other(at, other)?;
        }
        Ok(())
    }

    fn other(&mut self, seq: i64, other: Other) -> Result<(), StoreError> {
        match other {
            Other::Tombstone => self.tombstone(seq),
            Other::Recategorized => self.recategorized(seq),
            Other::Workout(row) => self.workout(seq, row),
            Other::Correlation(row) => self.correlation(seq, row),
            Other::Document(row) => self.document(seq, row),
        }
    }
}

#[cfg(test)]
mod tests;
