//! The order in which samples were written: which place of the sequence is where.
//!
//! ```text
//! written.seq ──► places of up to some hundred samples, each in LEB128 as the difference to the one before
//!                 (from 0 on): twice that of seq, 1 more if the id follows; kind_id and start_ms, zigzag
//! ```
//!
//! An index of the sequence would hold the key of each sample a second time, a third of the store, and took an
//! eighth of an import. A sample is found by its type, start and place: one that was written again since has
//! another place, one that was deleted is not there. Of samples that begin together the ids are written down as
//! well: to look through all of such a moment for each would let a hostile file take hours.

use std::ops::ControlFlow;

use rusqlite::{Connection, ffi, params};

use super::StoreError;
use crate::{
    identity::Id,
    varint::{push_varint, take_varint, unzigzag, zigzag},
};

/// Places of a full row.
const FULL: usize = 256;

/// Where a sample was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// In the sequence.
    pub(super) seq: i64,
    pub(super) kind_id: i64,
    pub(super) start_ms: i64,
    /// If others of the same row begin then, too.
    pub(super) id: Option<Id>,
}

impl Place {
    /// Type and start.
    pub(super) const fn moment(&self) -> (i64, i64) {
        (self.kind_id, self.start_ms)
    }

    /// Its id is one from the first to the second.
    pub(super) fn ids(&self) -> (Id, Id) {
        self.id.map_or(([0; 16], [255; 16]), |id| (id, id))
    }
}

/// Keeps the order of one transaction.
#[derive(Debug, Default)]
pub(super) struct Recorder(Vec<Place>);

impl Recorder {
    /// A sample was written. Until the next call of [`Self::keep_full`] in any order.
    pub(super) fn add(&mut self, seq: i64, kind_id: i64, start_ms: i64, id: Id) {
        self.0.push(Place {
            seq,
            kind_id,
            start_ms,
            id: Some(id),
        });
    }

    /// Keeps what there is, once it is much. No sample that is written later has an earlier place.
    pub(super) fn keep_full(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.0.len() < FULL {
            return Ok(());
        }
        self.keep(connection)
    }

    /// Keeps what there is.
    pub(super) fn keep(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.0.sort_unstable();
        let sql = "INSERT INTO written (seq, places) VALUES (?1, ?2)";
        let mut statement = connection.prepare_cached(sql)?;
        for places in self.0.chunks_mut(FULL) {
            leave_out_ids(places);
            let last = places.last().map_or(0, |place| place.seq);
            statement.execute(params![last, encode(places)])?;
        }
        self.0.clear();
        Ok(())
    }
}

/// Tells the places behind `after`, in order, until `take` has enough; whether it had.
pub(super) fn behind(
    connection: &Connection,
    after: i64,
    mut take: impl FnMut(Place) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    let sql = "SELECT seq, places FROM written WHERE seq > ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        let places = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let places = decode(places, row.get(0)?).ok_or_else(damaged)?;
        for place in places.into_iter().filter(|place| place.seq > after) {
            if take(place).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Takes the order from the index that an older file has instead, and drops that.
pub(super) fn adopt(connection: &Connection) -> Result<(), StoreError> {
    let mut recorder = Recorder::default();
    let sql = "SELECT seq, kind_id, start_ms, id FROM sample INDEXED BY sample_seq ORDER BY seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        recorder.add(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        recorder.keep_full(connection)?;
    }
    recorder.keep(connection)?;
    drop(rows);
    Ok(connection.execute_batch("DROP INDEX sample_seq")?)
}

/// Leaves out the ids of those that begin alone.
fn leave_out_ids(places: &mut [Place]) {
    let mut moments: Vec<_> = places.iter().map(Place::moment).collect();
    moments.sort_unstable();
    let twice: Vec<_> = moments
        .windows(2)
        .filter_map(|two| two.first().filter(|first| two.last() == Some(first)))
        .collect();
    for place in places {
        if twice.binary_search(&&place.moment()).is_err() {
            place.id = None;
        }
    }
}

fn encode(places: &[Place]) -> Vec<u8> {
    // Most differences take one byte, those of the starts three.
    let mut bytes = Vec::with_capacity(places.len() * 6);
    let mut before = Place::default();
    for place in places {
        let further = place.seq.wrapping_sub(before.seq).cast_unsigned();
        push_varint(&mut bytes, further << 1 | u64::from(place.id.is_some()));
        for (number, before) in [
            (place.kind_id, before.kind_id),
            (place.start_ms, before.start_ms),
        ] {
            push_varint(&mut bytes, zigzag(number.wrapping_sub(before)));
        }
        bytes.extend(place.id.iter().flatten());
        before = *place;
    }
    bytes
}

/// The places of a row whose last one is `last`.
fn decode(mut bytes: &[u8], last: i64) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(FULL);
    let mut place = Place::default();
    while !bytes.is_empty() {
        let further = take_varint(&mut bytes)?;
        place.seq = place.seq.wrapping_add((further >> 1).cast_signed());
        for number in [&mut place.kind_id, &mut place.start_ms] {
            *number = number.wrapping_add(unzigzag(take_varint(&mut bytes)?));
        }
        place.id = None;
        if further & 1 == 1 {
            let (id, rest) = bytes.split_first_chunk()?;
            (place.id, bytes) = (Some(*id), rest);
        }
        places.push(place);
    }
    (place.seq == last).then_some(places)
}

fn damaged() -> StoreError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None).into()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::store::{Store, steps};

    fn all(connection: &Connection, after: i64) -> Vec<Place> {
        let mut places = Vec::new();
        let told = behind(connection, after, |place| {
            places.push(place);
            ControlFlow::Continue(())
        });
        assert!(told.unwrap().is_continue());
        places
    }

    fn rows(connection: &Connection) -> Vec<Vec<Place>> {
        let mut statement = connection
            .prepare("SELECT places, seq FROM written")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)));
        let rows = rows.unwrap().map(Result::unwrap);
        rows.map(|(places, last)| decode(&places, last).unwrap())
            .collect()
    }

    fn place() -> impl Strategy<Value = Place> {
        let start = prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), 0..9_i64];
        let seq = prop_oneof![1..i64::MAX, 1..2000_i64];
        (seq, 0..4_i64, start, any::<Id>()).prop_map(|(seq, kind_id, start_ms, id)| Place {
            seq,
            kind_id,
            start_ms,
            id: Some(id),
        })
    }

    proptest! {
        #[test]
        fn places_come_back_in_order(mut places in vec(place(), 0..700), after in 0..9_usize) {
            places.sort_unstable();
            places.dedup_by_key(|place| place.seq);
            let store = Store::in_memory().unwrap();
            let mut recorder = Recorder::default();
            // Neighbours may come in another order.
            for pair in places.chunks(2) {
                for place in pair.iter().rev() {
                    let id = place.id.unwrap_or_default();
                    recorder.add(place.seq, place.kind_id, place.start_ms, id);
                }
                recorder.keep_full(&store.connection).unwrap();
            }
            recorder.keep(&store.connection).unwrap();
            let after = places.get(after * 90).map_or(0, |place| place.seq);
            places.retain(|place| place.seq > after);
            let told = all(&store.connection, after);
            let known = |id: Option<Id>, of: &Place| id.is_none() || id == of.id;
            prop_assert!(told.len() == places.len());
            for (told, place) in told.iter().zip(&places) {
                prop_assert_eq!((told.seq, told.moment()), (place.seq, place.moment()));
                prop_assert!(known(told.id, place));
            }
            // Of a row whose samples begin together each is known, of others none.
            for row in rows(&store.connection) {
                for place in &row {
                    let together = row.iter().filter(|other| other.moment() == place.moment());
                    prop_assert_eq!(place.id.is_some(), together.count() > 1);
                }
            }
        }

        #[test]
        fn damage_is_an_error(bytes in vec(any::<u8>(), 0..40), last in 0..3_i64) {
            let store = Store::in_memory().unwrap();
            let insert = "INSERT INTO written VALUES (?1 + 1, ?2)";
            store.connection.execute(insert, params![last, bytes]).unwrap();
            match behind(&store.connection, 0, |_| ControlFlow::Continue(())) {
                Ok(flow) => prop_assert!(flow.is_continue()),
                Err(error) => prop_assert!(matches!(error, StoreError::Damaged(_)), "{error:?}"),
            }
        }
    }

    #[test]
    fn no_row_holds_more_than_a_full_one() {
        let store = Store::in_memory().unwrap();
        let mut recorder = Recorder::default();
        for seq in 1..=600 {
            recorder.add(seq, 1, seq, [7; 16]);
        }
        recorder.keep(&store.connection).unwrap();
        let lengths: Vec<_> = rows(&store.connection).iter().map(Vec::len).collect();
        assert_eq!(lengths, [FULL, FULL, 600 - 2 * FULL]);
    }

    #[test]
    fn whoever_has_enough_is_told_no_more() {
        let store = Store::in_memory().unwrap();
        let mut recorder = Recorder::default();
        for seq in 1..=600 {
            recorder.add(seq, 1, seq, [7; 16]);
            recorder.keep_full(&store.connection).unwrap();
        }
        recorder.keep(&store.connection).unwrap();
        let mut seen = Vec::new();
        let told = behind(&store.connection, 250, |place| {
            seen.push(place.seq);
            if seen.len() < 10 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        assert!(told.unwrap().is_break());
        assert_eq!(seen, (251..=260).collect::<Vec<_>>());
    }

    /// As a file of version 4 has it: an index, in whose order the types and starts are not.
    #[test]
    fn an_index_becomes_the_order_of_writing() {
        let store = Store::in_memory().unwrap();
        let connection = &store.connection;
        connection
            .execute_batch(
                "DROP TABLE written;
                 CREATE INDEX sample_seq ON sample (seq);
                 WITH RECURSIVE n (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n LIMIT 1000)
                 INSERT INTO sample (kind_id, start_ms, id, end_ms, row, seq, origin_id, source_id, unit_id)
                 SELECT value % 3, value * 7919 % 500, randomblob(16), 1000, value, value * 3 + 1, 1, 1, 1
                 FROM n;",
            )
            .unwrap();
        connection.execute_batch(steps::STEPS[4]).unwrap();
        adopt(connection).unwrap();
        let mut statement = connection
            .prepare("SELECT seq, kind_id, start_ms, id FROM sample ORDER BY seq")
            .unwrap();
        let rows = statement.query_map([], |row| {
            Ok(Place {
                seq: row.get(0)?,
                kind_id: row.get(1)?,
                start_ms: row.get(2)?,
                id: row.get(3)?,
            })
        });
        let rows: Vec<Place> = rows.unwrap().map(Result::unwrap).collect();
        let places = all(connection, 0);
        assert_eq!(places.len(), 1000);
        for (place, row) in places.iter().zip(&rows) {
            assert_eq!((place.seq, place.moment()), (row.seq, row.moment()));
            assert!(place.id.is_none() || place.id == row.id);
        }
        let index = "SELECT count(*) FROM sqlite_schema WHERE name = 'sample_seq'";
        let left: i64 = connection.query_row(index, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
