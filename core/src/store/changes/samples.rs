//! Samples as changes, and what they were before they went or changed.

use rusqlite::Row as SqlRow;

use super::{Page, text};
use crate::{change::ChangeRow, store::StoreError};

impl Page<'_> {
    pub(super) fn sample(&mut self, row: &SqlRow<'_>) -> Result<(), StoreError> {
        let (kind, origin, category) = (row.get(1)?, row.get(5)?, row.get(9)?);
        if !self.filter.shows_sample(kind, origin, category) {
            return Ok(());
        }
        let texts = &mut self.texts;
        let value: Option<f64> = row.get(8)?;
        let metadata = match row.get(12)? {
            Some(id) => Some(texts.metadata.text(id)?),
            None => row
                .get_ref(13)?
                .as_str_or_null()
                .map_err(rusqlite::Error::from)?,
        };
        self.builder.push(&ChangeRow {
            seq: row.get(0)?,
            noun: "sample",
            deleted: false,
            id: row.get(3)?,
            kind: Some(texts.kind.text(kind)?),
            value,
            unit: Some(texts.unit.text(row.get(7)?)?),
            start_ms: row.get(2)?,
            end_ms: row.get(4)?,
            source: Some(texts.source.text(row.get(6)?)?),
            category: text(&mut texts.category, category)?,
            origin: Some(texts.origin.text(origin)?),
            device: text(&mut texts.device, row.get(10)?)?,
            created_ms: row.get(11)?,
            metadata,
            body: None,
        });
        Ok(())
    }

    /// A deletion, as far as it was visible before.
    pub(super) fn tombstone(&mut self, seq: i64) -> Result<(), StoreError> {
        let sql = "SELECT id, kind_id, origin_id, noun, start_ms, category_id
                   FROM tombstone WHERE seq = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else {
            return Ok(());
        };
        let (kind, origin): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        let noun = row
            .get_ref(3)?
            .as_str_or_null()
            .map_err(rusqlite::Error::from)?
            .unwrap_or("sample");
        let was_shown = match (noun, kind) {
            ("sample", Some(kind)) => self.filter.showed_sample(kind, origin, row.get(5)?),
            ("correlation", Some(kind)) => self.filter.shows_kind(kind, origin),
            (noun, _) => self.filter.shows_noun(noun, origin),
        };
        if was_shown {
            self.builder.push(&ChangeRow {
                seq,
                noun,
                deleted: true,
                id: row.get(0)?,
                kind: text(&mut self.texts.kind, kind)?,
                start_ms: row.get(4)?,
                origin: text(&mut self.texts.origin, origin)?,
                ..ChangeRow::default()
            });
        }
        Ok(())
    }

    /// A sample became another value of its category: who saw the former and may not see the present
    /// one must lose it.
    pub(super) fn recategorized(&mut self, seq: i64) -> Result<(), StoreError> {
        let sql = "SELECT r.id, r.kind_id, r.origin_id, r.start_ms, r.category_id
                   FROM recategorized r WHERE r.seq = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else {
            return Ok(());
        };
        let (kind, origin): (i64, i64) = (row.get(1)?, row.get(2)?);
        let is_cut = self.filter.cuts_categories(kind);
        if is_cut && self.filter.shows_sample(kind, origin, row.get(4)?) {
            self.builder.push(&ChangeRow {
                seq,
                noun: "sample",
                deleted: true,
                id: row.get(0)?,
                kind: Some(self.texts.kind.text(kind)?),
                start_ms: row.get(3)?,
                origin: Some(self.texts.origin.text(origin)?),
                ..ChangeRow::default()
            });
        }
        Ok(())
    }
}
