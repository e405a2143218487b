//! The order in which samples were written: which place of the sequence is where.
//!
//! ```text
//! written.seq ──► places: seq, kind_id, start_ms of some hundred samples, each as the difference to the one
//!                 before (from 0 on), zigzag LEB128
//! ```
//!
//! An index of the sequence would hold the key of each sample a second time, a third of the store, and took an
//! eighth of an import. A sample is found by its type, start and place: one that was written again since has
//! another place, one that was deleted is not there.

use std::ops::ControlFlow;

use rusqlite::{Connection, ffi, params};

use super::StoreError;
use crate::varint::{push_varint, take_varint, unzigzag, zigzag};

/// Places of a full row.
const FULL: usize = 256;

/// Where a sample was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// In the sequence.
    pub(super) seq: i64,
    pub(super) kind_id: i64,
    pub(super) start_ms: i64,
}

/// Keeps the order of one transaction.
#[derive(Debug, Default)]
pub(super) struct Recorder(Vec<Place>);

impl Recorder {
    /// A sample was written. Until the next call of [`Self::keep_full`] in any order.
    pub(super) fn add(&mut self, seq: i64, kind_id: i64, start_ms: i64) {
        self.0.push(Place {
            seq,
            kind_id,
            start_ms,
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
        let Some(last) = self.0.last() else {
            return Ok(());
        };
        let sql = "INSERT INTO written (seq, places) VALUES (?1, ?2)";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![last.seq, encode(&self.0)])?;
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
    let sql = "SELECT seq, kind_id, start_ms FROM sample INDEXED BY sample_seq ORDER BY seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        recorder.add(row.get(0)?, row.get(1)?, row.get(2)?);
        recorder.keep_full(connection)?;
    }
    recorder.keep(connection)?;
    drop(rows);
    Ok(connection.execute_batch("DROP INDEX sample_seq")?)
}

fn encode(places: &[Place]) -> Vec<u8> {
    // Most differences take one byte, those of the starts three.
    let mut bytes = Vec::with_capacity(places.len() * 6);
    let mut before = Place::default();
    for place in places {
        for (number, before) in [
            (place.seq, before.seq),
            (place.kind_id, before.kind_id),
            (place.start_ms, before.start_ms),
        ] {
            push_varint(&mut bytes, zigzag(number.wrapping_sub(before)));
        }
        before = *place;
    }
    bytes
}

/// The places of a row whose last one is `last`.
fn decode(mut bytes: &[u8], last: i64) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(FULL);
    let mut place = Place::default();
    while !bytes.is_empty() {
        for number in [&mut place.seq, &mut place.kind_id, &mut place.start_ms] {
            *number = number.wrapping_add(unzigzag(take_varint(&mut bytes)?));
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
    use crate::store::Store;

    fn all(connection: &Connection, after: i64) -> Vec<Place> {
        let mut places = Vec::new();
        let told = behind(connection, after, |place| {
            places.push(place);
            ControlFlow::Continue(())
        });
        assert!(told.unwrap().is_continue());
        places
    }

    fn place() -> impl Strategy<Value = Place> {
        let start = prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), 0..9_i64];
        (1..i64::MAX, 0..4_i64, start).prop_map(|(seq, kind_id, start_ms)| Place {
            seq,
            kind_id,
            start_ms,
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
                    recorder.add(place.seq, place.kind_id, place.start_ms);
                }
                recorder.keep_full(&store.connection).unwrap();
            }
            recorder.keep(&store.connection).unwrap();
            let after = places.get(after * 90).map_or(0, |place| place.seq);
            places.retain(|place| place.seq > after);
            prop_assert_eq!(all(&store.connection, after), places);
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
    fn whoever_has_enough_is_told_no_more() {
        let store = Store::in_memory().unwrap();
        let mut recorder = Recorder::default();
        for seq in 1..=600 {
            recorder.add(seq, 1, seq);
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
}
