//! The points of routes and the voltages of electrocardiograms, block by block behind their document.
//!
//! A series may be longer than a page: the page ends behind a block, and the next one goes on there,
//! unless the document has changed meanwhile and stands at another place.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;
use serde::Serialize;

use super::{PAGE_BYTES, Page, Place, bodies::printed};
use crate::{
    change::ChangeRow,
    document::Noun,
    series,
    store::{StoreError, scan::unsigned},
};

/// The names stand in the order in which they are printed: that of the alphabet.
#[derive(Serialize)]
struct Block {
    columns: BTreeMap<&'static str, Vec<f64>>,
    first: u64,
    points: u64,
}

impl Page<'_> {
    /// What is left of the series at a place in which the page before ended. Gives what
    /// [`Page::series`] gives.
    pub(super) fn rest_of_series(&mut self, place: Place) -> Result<u32, StoreError> {
        if place.blocks == 0 {
            return Ok(0);
        }
        let sql = "SELECT document_id FROM document WHERE seq = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let document = statement.query_row([place.seq], |row| row.get(0));
        match document.optional()? {
            Some(document) => self.series(place.seq, document, place.blocks),
            // It is told again, whole, at the place where it stands now.
            None => Ok(0),
        }
    }

    /// The blocks of a document, so many of which were told already. Gives how many are told when
    /// the page is full before the last, else 0.
    pub(super) fn series(&mut self, seq: i64, row: i64, told: u32) -> Result<u32, StoreError> {
        if !self.has_series {
            return Ok(0);
        }
        let sql = "SELECT id, noun, origin_id FROM document WHERE document_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([row], |row| {
            let noun: String = row.get(1)?;
            Ok((row.get(0)?, noun.parse().ok(), row.get(2)?))
        });
        let (id, noun, origin): (_, Option<Noun>, i64) = found?;
        let Some((noun, blocks)) = noun.and_then(|noun| Some((noun, noun.blocks()?))) else {
            return Ok(0);
        };
        if !self.filter.shows_noun(noun.as_str(), Some(origin)) {
            return Ok(0);
        }
        let sql = "SELECT points, data FROM series WHERE document_id = ?1 ORDER BY position";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut chunks = statement.query([row])?;
        let (mut at, mut first) = (0_u32, 0_u64);
        while let Some(chunk) = chunks.next()? {
            let points = unsigned(chunk.get(0)?);
            if at >= told {
                // The first one goes anyway, so that each page comes further.
                if at > told && self.builder.bytes() >= PAGE_BYTES {
                    return Ok(at);
                }
                let data = chunk.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                let body = printed(&block(noun, first, points, data)?)?;
                self.builder.push(&ChangeRow {
                    seq,
                    noun: blocks,
                    id,
                    origin: Some(self.texts.origin.text(origin)?),
                    body: Some(&body),
                    ..ChangeRow::default()
                });
            }
            at += 1;
            first += points;
        }
        Ok(0)
    }
}

fn block(noun: Noun, first: u64, points: u64, data: &[u8]) -> Result<Block, StoreError> {
    let length = usize::try_from(points).unwrap_or(usize::MAX);
    let columns = series::decode(length, noun.columns().len(), data).map_err(|error| {
        let kind = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(1, kind, Box::new(error))
    })?;
    let columns = noun.columns().iter().copied().zip(columns);
    Ok(Block {
        columns: columns
            .filter(|(_, numbers)| numbers.iter().any(|number| number.is_finite()))
            .collect(),
        first,
        points,
    })
}

#[cfg(test)]
mod tests;
