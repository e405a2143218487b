//! Writing correlations: which samples belong together.

use rusqlite::{Connection, params};

use super::{
    chain::{Likeness, Matcher, Place, candidates},
    names::Names,
};
use crate::{
    correlation::Correlation,
    identity::{Id, Key},
};

/// A member: kind, start, id.
pub(super) type Member = (i64, i64, Id);

/// A member, whatever its ordinal.
type MemberKey = (i64, i64, Key);

/// A correlation whose members were looked up.
pub(super) struct Resolved {
    pub(super) correlation: Box<Correlation>,
    pub(super) members: Vec<Member>,
}

pub(super) struct Correlations<'t> {
    connection: &'t Connection,
    origin_id: i64,
    format_id: i64,
    pub(super) matcher: Matcher<Resolved>,
}

impl<'t> Correlations<'t> {
    pub(super) fn new(connection: &'t Connection, origin_id: i64, format_id: i64) -> Self {
        Self {
            connection,
            origin_id,
            format_id,
            matcher: Matcher::default(),
        }
    }

    pub(super) fn take(
        &mut self,
        resolved: Resolved,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
    ) -> rusqlite::Result<()> {
        self.matcher.tally.read += 1;
        self.put(resolved, key, names, seq, false)
    }

    pub(super) fn settle(&mut self, names: &mut Names<'_>, seq: &mut i64) -> rusqlite::Result<()> {
        for (key, resolved) in self.matcher.take_waiting() {
            self.put(resolved, key, names, seq, true)?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        resolved: Resolved,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
        at_end: bool,
    ) -> rusqlite::Result<()> {
        let rows = candidates(self.connection, "correlation", key)?;
        let keys = keys(&resolved.members);
        let connection = self.connection;
        let compare = |row| Ok(Likeness::of(member_keys(connection, row)? == keys));
        match self.matcher.place((key, &rows), compare, at_end)? {
            Place::Same(_) | Place::Beyond => {}
            Place::Wait => self.matcher.wait(key, resolved),
            Place::Changed(row) => {
                *seq += 1;
                self.connection.execute(
                    "DELETE FROM correlation_member WHERE correlation_id = ?1",
                    [row],
                )?;
                self.connection.execute(
                    "UPDATE correlation SET seq = ?2 WHERE correlation_id = ?1",
                    [row, *seq],
                )?;
                self.write_members(row, &resolved.members)?;
            }
            Place::New(ordinal) => {
                *seq += 1;
                let row = self.insert(key.id(ordinal), &resolved.correlation, names, *seq)?;
                self.write_members(row, &resolved.members)?;
                self.matcher.made(row);
            }
        }
        Ok(())
    }

    fn insert(
        &self,
        id: Id,
        correlation: &Correlation,
        names: &mut Names<'_>,
        seq: i64,
    ) -> rusqlite::Result<i64> {
        let (source_id, device_id) = names.writer(&correlation.provenance)?;
        self.connection
            .prepare_cached(
                "INSERT INTO correlation (id, seq, origin_id, kind_id, start_ms, end_ms, source_id,
                                          device_id, created_ms, metadata, format_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                id,
                seq,
                self.origin_id,
                names.kind(&correlation.kind, "")?,
                correlation.start_ms,
                correlation.end_ms,
                source_id,
                device_id,
                correlation.created_ms,
                correlation.metadata.to_json(),
                self.format_id,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn write_members(&self, row: i64, members: &[Member]) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare_cached("INSERT INTO correlation_member VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (position, (kind_id, start_ms, id)) in (0_i64..).zip(members) {
            statement.execute(params![row, position, kind_id, start_ms, id])?;
        }
        Ok(())
    }
}

/// The content of a correlation is which keys its members have; which ordinal each got depends on
/// what was in the store when it was read.
fn member_keys(connection: &Connection, row: i64) -> rusqlite::Result<Vec<MemberKey>> {
    let mut members = connection.prepare_cached(
        "SELECT kind_id, start_ms, sample_id FROM correlation_member
         WHERE correlation_id = ?1 ORDER BY position",
    )?;
    let members: Vec<Member> = members
        .query_map([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(keys(&members))
}

/// The order of members differs between exports.
fn keys(members: &[Member]) -> Vec<MemberKey> {
    let mut keys: Vec<_> = members
        .iter()
        .map(|(kind, start, id)| (*kind, *start, Key::of_id(*id)))
        .collect();
    keys.sort_unstable();
    keys
}
