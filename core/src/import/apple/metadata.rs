//! `MetadataEntry` and the beats of a heart rate variability.

pub(super) use super::provenance::external_id;
use super::{element::ElementReader, limits, tag::Tag};
use crate::{
    import::ReadError,
    sample::{Beat, Metadata},
};

const BEYOND: &str = "metadata beyond the limit";

/// Room for the metadata of one child of the root.
pub(super) struct Room(pub(super) usize);

impl Room {
    /// Takes so much, if it is there.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

impl ElementReader<'_, '_> {
    /// Takes a `HeartRateVariabilityMetadataList`.
    pub(super) fn beats(&mut self, metadata: &mut Metadata) -> Result<(), ReadError> {
        self.children(&mut |reader, child, token| {
            if child.name() != "InstantaneousBeatsPerMinute" {
                return reader.pass_over(child, token);
            }
            let text = |key| child.value(key).unwrap_or_default();
            let (bpm, time) = (text("bpm"), text("time"));
            if metadata.beats.len() < limits::PARTS && reader.room.take(bpm.len() + time.len()) {
                metadata.beats.push(Beat {
                    bpm: bpm.to_owned(),
                    time: time.to_owned(),
                    at_ms: None,
                });
            } else {
                let line = reader.tokens.line();
                reader.skipped(line, "beats beyond the limit".into())?;
            }
            reader.leave(child, token)
        })
    }

    /// Takes a `MetadataEntry`; says whether it was one.
    pub(super) fn metadata_entry(
        &mut self,
        tag: &Tag,
        metadata: &mut Metadata,
    ) -> Result<bool, ReadError> {
        if tag.name() != "MetadataEntry" {
            return Ok(false);
        }
        let Some(key) = tag.value("key") else {
            self.skipped(self.tokens.line(), "metadata without a key".into())?;
            return Ok(true);
        };
        let value = tag.value("value").unwrap_or_default();
        if self.entry(key, value, metadata).is_err() {
            self.skipped(self.tokens.line(), BEYOND.into())?;
        }
        Ok(true)
    }

    /// Takes an entry, if there is room for it.
    pub(super) fn entry(
        &mut self,
        key: &str,
        value: &str,
        metadata: &mut Metadata,
    ) -> Result<(), &'static str> {
        let entries = &mut metadata.entries;
        if entries.len() < limits::ENTRIES && self.room.take(key.len() + value.len()) {
            entries.push((key.to_owned(), value.to_owned()));
            Ok(())
        } else {
            Err(BEYOND)
        }
    }

    /// Takes the attributes that are not `known`: iOS 8 wrote metadata as attributes.
    pub(super) fn other_attributes(
        &mut self,
        tag: &Tag,
        known: &[&str],
        metadata: &mut Metadata,
    ) -> Result<(), ReadError> {
        for (key, value) in tag.attributes() {
            if !known.contains(&key) && self.entry(key, value, metadata).is_err() {
                self.skipped(self.tokens.line(), BEYOND.into())?;
            }
        }
        Ok(())
    }
}
