//! Records that this program wrote itself and that come back with their ids.

use rusqlite::{OptionalExtension, params};

use super::{
    names::Names,
    row::{half, row_of, stored},
    samples::{CHAIN, Samples},
};
use crate::{identity::Key, sample::Sample};

/// Where a record belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: Key,
    /// Known if the id that it came with is one of this key.
    pub(super) ordinal: Option<u32>,
    pub(super) origin_id: i64,
}

impl Samples<'_> {
    /// Takes one record; says whether it is another one than those before.
    ///
    /// The row with the record's own id is looked at first. Is there none, the record may still be
    /// there under another ordinal; only if it is not, it gets the place that its id names.
    pub(super) fn take_returning(
        &mut self,
        sample: &Sample,
        place: Place,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<bool> {
        let Place {
            key,
            ordinal,
            origin_id,
        } = place;
        let metadata = sample.metadata.to_json();
        let row = row_of((sample, metadata.as_deref()), key, origin_id, names)?;
        let Some(ordinal) = ordinal else {
            self.counts.read += 1;
            self.take_among(&row, names)?;
            return Ok(true);
        };
        let own = self
            .find
            .query_row(params![row.kind_id, row.start_ms, key.id(ordinal)], stored)
            .optional()?;
        let free = own.is_none();
        if let Some(mut own) = own {
            own.content.half = half(own.content, names)?;
            if own.content.equals(&row.content) {
                if self.met.contains(own.row) {
                    return Ok(false);
                }
                self.counts.read += 1;
                self.keep(own.row);
                return Ok(true);
            }
        }
        self.counts.read += 1;
        if !free {
            self.take_among(&row, names)?;
            return Ok(true);
        }
        let chain = self.chain(&row, CHAIN, names)?;
        let elsewhere = chain
            .iter()
            .find(|stored| stored.content.equals(&row.content) && !self.met.contains(stored.row));
        match elsewhere {
            Some(stored) => self.keep(stored.row),
            None => self.add(&row, ordinal)?,
        }
        Ok(true)
    }
}
