//! Making packs, and dropping them.

use std::{collections::BTreeSet, ops::ControlFlow};

use rusqlite::{Connection, params, params_from_iter};

use super::{
    Sizes,
    known::{Known, Pack, crc},
};
use crate::{
    format::packed,
    store::{
        StoreError,
        plan::{Part, Stretch},
        scan::{Piece, Walk},
    },
};

/// Keeps those that are known and no others.
pub(super) fn drop_others(packs: &Connection, known: &Known) -> Result<(), StoreError> {
    let kept: BTreeSet<i64> = known.0.values().map(|pack| pack.number).collect();
    let mut statement = packs.prepare_cached("SELECT pack_id FROM pack")?;
    let all = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let all = all.collect::<Result<Vec<_>, _>>()?;
    for number in all.iter().filter(|number| !kept.contains(number)) {
        for sql in [
            "DELETE FROM pack WHERE pack_id = ?1",
            "DELETE FROM body WHERE pack_id = ?1",
        ] {
            packs.prepare_cached(sql)?.execute([number])?;
        }
    }
    Ok(())
}

/// Makes packs of the rows of a stretch without any, as many as are left to be made.
pub(super) fn packs(
    packs: &Connection,
    store: &Connection,
    (part, stretch): (&Part, Stretch),
    sizes: Sizes,
    left: &mut usize,
) -> Result<(), StoreError> {
    if count(store, part, &stretch, sizes.least)? < sizes.least {
        return Ok(());
    }
    let mut walk = Walk::separate(store, sizes.rows)?;
    let mut made = Ok(());
    let mut keep = |piece: Piece| {
        made = keep(packs, part.kind_id, &piece);
        *left -= 1;
        if made.is_err() || *left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    if walk.rows(part, &stretch, &mut keep)?.is_continue() && walk.waiting() >= sizes.least {
        // What the sink says does not matter any more.
        let _ = walk.flush(&mut keep)?;
    }
    made
}

/// How many rows stand there, as far as `most`.
fn count(
    store: &Connection,
    part: &Part,
    stretch: &Stretch,
    most: usize,
) -> Result<usize, StoreError> {
    let (condition, parameters) = stretch.condition(part.kind_id);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM sample {condition} LIMIT {most})");
    let mut statement = store.prepare_cached(&sql)?;
    Ok(statement.query_row(params_from_iter(&parameters), |row| row.get(0))?)
}

fn keep(packs: &Connection, kind_id: i64, piece: &Piece) -> Result<(), StoreError> {
    let Piece::Rows { batch, first, last } = piece else {
        return Ok(());
    };
    let messages = packed(batch).map_err(|error| {
        StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    })?;
    let pack = Pack {
        number: 0,
        last: *last,
        rows: u64::try_from(batch.len()).unwrap_or_default(),
        crc: 0,
    };
    let crc = crc(kind_id, *first, &pack, &messages);
    let mut body = packs.prepare_cached("INSERT INTO body (messages) VALUES (?1)")?;
    body.execute([messages])?;
    let sql = "INSERT INTO pack VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    packs.prepare_cached(sql)?.execute(params![
        packs.last_insert_rowid(),
        kind_id,
        first.0,
        first.1,
        last.0,
        last.1,
        batch.len(),
        crc,
    ])?;
    Ok(())
}
