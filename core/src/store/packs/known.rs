//! Which packs are true of a snapshot of the store.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{At, Sizes};
use crate::{
    batch::SCHEMA_VERSION,
    store::{StoreError, changes::token, plan::Stretch, steps, written},
};

/// A pack, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Pack {
    pub(super) number: i64,
    pub(in crate::store) last: At,
    pub(in crate::store) rows: u64,
    pub(super) crc: u32,
}

/// Of a pack and where it stands: the disk may have changed a bit of either.
pub(super) fn crc(kind_id: i64, first: At, pack: &Pack, messages: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&kind_id.to_le_bytes());
    for (start_ms, id) in [first, pack.last] {
        crc.update(&start_ms.to_le_bytes());
        crc.update(&id);
    }
    crc.update(&pack.rows.to_le_bytes());
    crc.update(messages);
    crc.finalize()
}

/// Packs that are true of one snapshot of the store, by type and first row.
#[derive(Debug, Default)]
pub(in crate::store) struct Known(pub(super) BTreeMap<(i64, At), Pack>);

impl Known {
    /// The packs of a type that lie within a stretch, with their first rows, in order.
    pub(in crate::store) fn within(
        &self,
        kind_id: i64,
        stretch: Stretch,
    ) -> impl Iterator<Item = (At, Pack)> {
        let from = stretch.from_ms.unwrap_or(i64::MIN);
        self.of(kind_id, (from, [0; 16]))
            .skip_while(move |(first, _)| stretch.behind.is_some_and(|behind| *first <= behind))
            .take_while(move |(_, pack)| stretch.reaches(pack.last))
    }

    fn of(&self, kind_id: i64, from: At) -> impl Iterator<Item = (At, Pack)> {
        let rows = (
            Bound::Included((kind_id, from)),
            Bound::Included((kind_id, (i64::MAX, [255; 16]))),
        );
        let found = self.0.range(rows);
        found.map(|((_, first), pack)| (*first, *pack))
    }

    /// What lies before, between and behind the packs of a type.
    pub(super) fn gaps(&self, kind_id: i64) -> Vec<Stretch> {
        let mut gaps = Vec::new();
        let mut gap = Stretch::default();
        for (first, pack) in self.of(kind_id, (i64::MIN, [0; 16])) {
            gap.before = Some(first);
            gaps.push(gap);
            gap = Stretch {
                behind: Some(pack.last),
                ..Stretch::default()
            };
        }
        gaps.push(gap);
        gaps
    }
}

/// The packs that are true of the store's snapshot.
pub(super) fn known(
    packs: &Connection,
    store: &Connection,
    sizes: Sizes,
) -> Result<Known, StoreError> {
    // Of batches that look otherwise there are none.
    let sql = "SELECT seq, token FROM as_of WHERE tables = ?1 AND schema = ?2";
    let as_of = packs.query_row(sql, params![steps::VERSION, SCHEMA_VERSION], |row| {
        Ok((row.get(0)?, row.get::<_, [u8; 16]>(1)?))
    });
    let Some((seq, whose)) = as_of.optional()? else {
        return Ok(Known::default());
    };
    // Made by another history, or of a later state than this snapshot, which has no token there.
    if token(store, seq)? != Some(whose) {
        return Ok(Known::default());
    }
    let mut known = BTreeMap::new();
    let mut statement = packs.prepare_cached(
        "SELECT kind_id, start_ms, id, pack_id, last_ms, last_id, rows, crc FROM pack",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let pack = Pack {
            number: row.get(3)?,
            last: (row.get(4)?, row.get(5)?),
            rows: row.get(6)?,
            crc: row.get(7)?,
        };
        known.insert((row.get(0)?, (row.get(1)?, row.get(2)?)), pack);
    }
    let mut known = Known(known);
    if !known.0.is_empty() && !known.forget_changed(store, seq, sizes.changes)? {
        known.0.clear();
    }
    Ok(known)
}

impl Known {
    /// Forgets what has changed behind this place; `false`: too much has, or nobody knows what.
    fn forget_changed(
        &mut self,
        store: &Connection,
        seq: i64,
        most: usize,
    ) -> Result<bool, StoreError> {
        let mut left = most;
        let written = written::behind(store, seq, |place| {
            let (from, to) = place.ids();
            self.forget(place.kind_id, (place.start_ms, from), (place.start_ms, to));
            count_down(&mut left)
        })?;
        if written.is_break() {
            return Ok(false);
        }
        let mut statement = store.prepare_cached(
            "SELECT kind_id, start_ms, id FROM tombstone
             WHERE seq > ?1 AND (kind_id IS NOT NULL OR noun IS 'sample')",
        )?;
        let mut rows = statement.query([seq])?;
        while let Some(row) = rows.next()? {
            let kind_id: Option<i64> = row.get(0)?;
            let (Some(kind_id), Some(start_ms)) = (kind_id, row.get(1)?) else {
                return Ok(false);
            };
            if count_down(&mut left).is_break() {
                return Ok(false);
            }
            let at = (start_ms, row.get(2)?);
            self.forget(kind_id, at, at);
        }
        Ok(true)
    }

    /// Forgets the packs that hold some place from `from` to `to`.
    fn forget(&mut self, kind_id: i64, from: At, to: At) {
        while let Some((&key, pack)) = self.0.range(..=(kind_id, to)).next_back()
            && key.0 == kind_id
            && from <= pack.last
        {
            self.0.remove(&key);
        }
    }
}

fn count_down(left: &mut usize) -> ControlFlow<()> {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    }
}
