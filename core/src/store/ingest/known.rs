//! Meeting many records that are there already.
//!
//! An export that comes again brings its records in nearly the order in which they stand. So some of
//! them are looked for together: one walk over the range that they are in instead of a search for
//! each. What the walk does not meet is searched as ever.

use rusqlite::params;

use super::{
    names::Names,
    row::{Row, content, half},
    samples::Samples,
};
use crate::{identity::Id, store::ingest::row::Stored};

/// How many are looked for together.
pub(super) const LOOKED_AT: usize = 256;

/// Fewer of one kind are searched one by one.
const FEW: usize = 4;

/// How many rows a walk may step over for each that it looks for: a search costs as much as some
/// steps.
const STEPS: usize = 3;

pub(super) const WITHIN: &str = "
SELECT start_ms, id, row, unit_id, category_id, value, tolerance_id
FROM sample WHERE kind_id = ?1 AND start_ms BETWEEN ?2 AND ?3 ORDER BY start_ms, id LIMIT ?4";

impl Samples<'_> {
    /// Takes records of which most are there already.
    pub(super) fn meet_together(
        &mut self,
        rows: &[Row],
        names: &mut Names<'_>,
    ) -> rusqlite::Result<()> {
        let found = self.walk(rows)?;
        for (row, found) in rows.iter().zip(found) {
            match found {
                Some(mut stored) if !self.met.contains(stored.row) => {
                    stored.content.half = half(stored.content, names)?;
                    if stored.content.equals(&row.content) {
                        self.keep(stored.row);
                        continue;
                    }
                }
                Some(_) | None => {}
            }
            self.take_known(row, names)?;
        }
        Ok(())
    }

    /// The stored rows of the first ordinals, as far as a walk meets them. None of them changes before
    /// the end of the file.
    fn walk(&mut self, rows: &[Row]) -> rusqlite::Result<Vec<Option<Stored>>> {
        let mut found: Vec<Option<Stored>> = Vec::new();
        found.resize_with(rows.len(), || None);
        let place = |row: &Row| (row.kind_id, row.start_ms, row.key.id(0));
        let mut wanted: Vec<_> = rows.iter().map(place).zip(0_usize..).collect();
        wanted.sort_unstable();
        for wanted in wanted.chunk_by(|((a, ..), _), ((b, ..), _)| a == b) {
            if wanted.len() < FEW {
                continue;
            }
            let (Some(((kind_id, first_ms, _), _)), Some(((_, last_ms, _), _))) =
                (wanted.first(), wanted.last())
            else {
                continue;
            };
            let limit = i64::try_from(wanted.len() * STEPS).unwrap_or(i64::MAX);
            let mut stored = self
                .within
                .query(params![kind_id, first_ms, last_ms, limit])?;
            let mut wanted = wanted.iter().peekable();
            while let Some(row) = stored.next()? {
                let (start_ms, id): (i64, Id) = (row.get(0)?, row.get(1)?);
                let at = (*kind_id, start_ms, id);
                while wanted.next_if(|(place, _)| *place < at).is_some() {}
                let Some((_, index)) = wanted.next_if(|(place, _)| *place == at) else {
                    continue;
                };
                if let Some(found) = found.get_mut(*index) {
                    *found = Some(Stored {
                        id,
                        row: row.get(2)?,
                        content: content(row, 3)?,
                    });
                }
            }
        }
        Ok(found)
    }
}
