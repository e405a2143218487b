//! How far a page goes, and where its samples are.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use rusqlite::{Connection, Params, params};

use crate::{
    identity::Id,
    store::{
        StoreError,
        written::{self, Place},
    },
};

/// One sample: see [`parameters`].
pub(super) const SAMPLE: &str = "
SELECT seq, kind_id, start_ms, id, end_ms, origin_id, source_id, unit_id, value, category_id,
       device_id, created_ms, metadata_id, metadata
FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id BETWEEN ?3 AND ?4 AND seq = ?5";

const OF_MOMENT: &str = "
SELECT seq, id FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND seq BETWEEN ?3 AND ?4";

/// What has places in the sequence and is no sample.
const OTHERS: [&str; 5] = [
    "tombstone",
    "recategorized",
    "workout",
    "correlation",
    "document",
];

/// Where samples were written behind a place, as far as one page goes; and the last place of the page, if that
/// is not the present one.
pub(super) fn ahead(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<(Vec<Place>, Option<i64>), StoreError> {
    let mut samples = Vec::new();
    let told = written::behind(connection, after, |place| {
        samples.push(place);
        if samples.len() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    // Whether it was enough shows below.
    let _: ControlFlow<()> = told?;
    let mut places: Vec<i64> = samples.iter().map(|place| place.seq).collect();
    let of = |table: &str| {
        format!("SELECT seq FROM (SELECT seq FROM {table} WHERE seq > ?1 ORDER BY seq LIMIT ?2)")
    };
    let sql = OTHERS.map(of).join(" UNION ALL ");
    let mut statement = connection.prepare_cached(&sql)?;
    let others = statement.query_map(params![after, limit], |row| row.get(0))?;
    for other in others {
        places.push(other?);
    }
    places.sort_unstable();
    let end = places.get(limit.saturating_sub(1)).copied();
    Ok((samples, end))
}

/// Parameters of [`SAMPLE`].
pub(super) fn parameters(place: &Place) -> impl Params + use<> {
    let (from, to) = place.ids();
    (place.kind_id, place.start_ms, from, to, place.seq)
}

/// Adds the ids that were not written down, where a page has several samples of one moment: they are found by one
/// walk over that moment, so that a page never takes more than one walk over its types. Leaves out those of them
/// that are not there any more.
pub(super) fn with_ids(
    connection: &Connection,
    places: &[Place],
) -> Result<Vec<Place>, StoreError> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(Vec::new());
    };
    let (mut seen, mut crowded) = (HashSet::new(), HashSet::new());
    for place in places.iter().filter(|place| place.id.is_none()) {
        if !seen.insert(place.moment()) {
            crowded.insert(place.moment());
        }
    }
    let mut ids: HashMap<i64, Id> = HashMap::new();
    let mut statement = connection.prepare_cached(OF_MOMENT)?;
    for (kind_id, start_ms) in &crowded {
        let mut rows = statement.query(params![kind_id, start_ms, first.seq, last.seq])?;
        while let Some(row) = rows.next()? {
            ids.insert(row.get(0)?, row.get(1)?);
        }
    }
    let found = places.iter().filter_map(|place| {
        let mut place = *place;
        if place.id.is_none() && crowded.contains(&place.moment()) {
            place.id = Some(*ids.get(&place.seq)?);
        }
        Some(place)
    });
    Ok(found.collect())
}
