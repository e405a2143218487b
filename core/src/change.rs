//! What changed, in the order of writing: columns of one fixed Arrow schema, and the place up to
//! which somebody knows it.
//!
//! | column | Arrow type | |
//! |---|---|---|
//! | `seq` | Int64 | place in the order of writing |
//! | `noun` | Dictionary(Int32, Utf8) | `sample`, `workout`, `correlation`, .. |
//! | `deleted` | Boolean | the thing with this id is gone; of the rest only what is known is filled |
//! | `id` | Utf8 | UUID; the same in every later change of the thing |
//! | `type` | Dictionary(Int32, Utf8) | of a sample or correlation; the activity of a workout |
//! | `value` | Float64 | of a quantity |
//! | `unit` | Dictionary(Int32, Utf8) | of a quantity |
//! | `startDate`, `endDate` | Timestamp(ms, "UTC") | |
//! | `sourceName` | Dictionary(Int32, Utf8) | |
//! | `category` | Dictionary(Int32, Utf8) | of a category |
//! | `origin` | Dictionary(Int32, Utf8) | |
//! | `device` | Dictionary(Int32, Utf8) | |
//! | `creationDate` | Timestamp(ms, "UTC") | |
//! | `metadata` | Utf8 | a JSON object |
//! | `body` | Utf8 | a JSON object: what has no column |
//!
//! A thing that changed twice stands at its last place only: whoever takes all changes up to a
//! place, each in the place of the former one of its id, has what the server had.
//!
//! Who asks for series gets a route or an electrocardiogram with its points: behind it, at the same
//! place and with the same `id`, follow rows with the noun `routePoints` or `ecgVoltages`, whose
//! `body` is a [`SeriesBlock`](crate::api::SeriesBlock). They take the place of all former points.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
        TimestampMillisecondBuilder,
    },
    types::Int32Type,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use sha2::{Digest, Sha256};

use crate::{
    batch::{SchemaMismatch, check_fields},
    format::{Columnar, json_field},
    query::InvalidCursor,
};

/// Version of the columns, as the schema's metadata says it.
pub const CHANGES_VERSION: &str = "1";

/// The columns.
pub fn changes_schema() -> SchemaRef {
    let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let fields = vec![
        Field::new("seq", DataType::Int64, false),
        Field::new("noun", name(), false),
        Field::new("deleted", DataType::Boolean, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("type", name(), true),
        Field::new("value", DataType::Float64, true),
        Field::new("unit", name(), true),
        Field::new("startDate", instant(), true),
        Field::new("endDate", instant(), true),
        Field::new("sourceName", name(), true),
        Field::new("category", name(), true),
        Field::new("origin", name(), true),
        Field::new("device", name(), true),
        Field::new("creationDate", instant(), true),
        Field::new("metadata", DataType::Utf8, true).with_metadata(json_field()),
        Field::new("body", DataType::Utf8, true).with_metadata(json_field()),
    ];
    let version = HashMap::from([("healthsync.changes".to_owned(), CHANGES_VERSION.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}

/// Some changes as columns.
#[derive(Clone, Debug)]
pub struct ChangeBatch(RecordBatch);

impl ChangeBatch {
    /// The columns.
    pub const fn columns(&self) -> &RecordBatch {
        &self.0
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Columnar for ChangeBatch {
    fn schema_of(_columns: usize) -> SchemaRef {
        changes_schema()
    }

    fn of(batch: RecordBatch) -> Result<Self, SchemaMismatch> {
        check_fields(batch.schema_ref(), &changes_schema())?;
        Ok(Self(batch))
    }
}

/// A place in the order of writing, opaque text to clients: what somebody who has got so far has
/// seen, of which history, and with which right to see.
///
/// The text is lower-case hexadecimal:
/// `version (1 byte) | sequence, big-endian (8) | token (16) | scope (8)`, version 2; in the middle
/// of a series `version | sequence | blocks, big-endian (4) | token | scope`, version 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last place that was seen.
    pub seq: i64,
    /// Blocks of a series that were seen at this place, if there are more of them; else 0.
    pub blocks: u32,
    /// Random, of the transaction that wrote this place: another one stands there in a store that
    /// was replaced, or restored from a copy and written to since.
    pub token: [u8; 16],
    /// What the reader was allowed to see.
    pub scope: ScopeDigest,
}

const POSITION_VERSION: u8 = 2;
/// Of a place in the middle of a series.
const BLOCKS_VERSION: u8 = 3;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.blocks == 0 {
            write!(f, "{POSITION_VERSION:02x}{:016x}", self.seq)?;
        } else {
            write!(
                f,
                "{BLOCKS_VERSION:02x}{:016x}{:08x}",
                self.seq, self.blocks
            )?;
        }
        for byte in self.token.iter().chain(&self.scope.0) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = crate::query::from_hex(text).ok_or(InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor)?;
        let (seq, rest) = rest.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let (blocks, rest) = match *version {
            POSITION_VERSION => (0, rest),
            BLOCKS_VERSION => {
                let (blocks, rest) = rest.split_first_chunk::<4>().ok_or(InvalidCursor)?;
                (u32::from_be_bytes(*blocks), rest)
            }
            _ => return Err(InvalidCursor),
        };
        let (token, rest) = rest.split_first_chunk::<16>().ok_or(InvalidCursor)?;
        let scope = <[u8; 8]>::try_from(rest).map_err(|_| InvalidCursor)?;
        let seq = i64::from_be_bytes(*seq);
        if seq < 0 || (*version == BLOCKS_VERSION && blocks == 0) {
            return Err(InvalidCursor);
        }
        Ok(Self {
            seq,
            blocks,
            token: *token,
            scope: ScopeDigest(scope),
        })
    }
}

/// What a reader may see, in short. Two that differ are told apart; it keeps no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeDigest(pub [u8; 8]);

impl ScopeDigest {
    /// Of names of types and of origins, in any order; `None` means all.
    pub fn of(types: Option<&[String]>, origins: Option<&[String]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"healthsync scope 1\n");
        for names in [types, origins] {
            let Some(names) = names else {
                hash.update([0]);
                continue;
            };
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            hash.update([1]);
            hash.update(u64::try_from(names.len()).unwrap_or(u64::MAX).to_be_bytes());
            for name in names {
                hash.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(name);
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        // It has 32 bytes.
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// One row; what is `None` is not known or does not apply.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangeRow<'a> {
    pub(crate) seq: i64,
    pub(crate) noun: &'a str,
    pub(crate) deleted: bool,
    pub(crate) id: [u8; 16],
    pub(crate) kind: Option<&'a str>,
    pub(crate) value: Option<f64>,
    pub(crate) unit: Option<&'a str>,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) source: Option<&'a str>,
    pub(crate) category: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
    pub(crate) created_ms: Option<i64>,
    pub(crate) metadata: Option<&'a str>,
    pub(crate) body: Option<&'a str>,
}

type Names = StringDictionaryBuilder<Int32Type>;

/// Collects rows until [`ChangeBuilder::take`] makes a batch of them.
#[derive(Default)]
pub(crate) struct ChangeBuilder {
    /// Texts that do not repeat.
    bytes: usize,
    seqs: Int64Builder,
    nouns: Names,
    deleted: BooleanBuilder,
    ids: StringBuilder,
    kinds: Names,
    values: Float64Builder,
    units: Names,
    starts: TimestampMillisecondBuilder,
    ends: TimestampMillisecondBuilder,
    sources: Names,
    categories: Names,
    origins: Names,
    devices: Names,
    created: TimestampMillisecondBuilder,
    metadata: StringBuilder,
    bodies: StringBuilder,
}

impl ChangeBuilder {
    /// Bytes of metadata and bodies so far.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, row: &ChangeRow<'_>) {
        self.bytes += row.metadata.map_or(0, str::len) + row.body.map_or(0, str::len);
        self.seqs.append_value(row.seq);
        self.nouns.append_value(row.noun);
        self.deleted.append_value(row.deleted);
        self.ids.append_value(crate::identity::uuid(&row.id));
        self.kinds.append_option(row.kind);
        self.values.append_option(row.value);
        self.units.append_option(row.unit);
        self.starts.append_option(row.start_ms);
        self.ends.append_option(row.end_ms);
        self.sources.append_option(row.source);
        self.categories.append_option(row.category);
        self.origins.append_option(row.origin);
        self.devices.append_option(row.device);
        self.created.append_option(row.created_ms);
        self.metadata.append_option(row.metadata);
        self.bodies.append_option(row.body);
    }

    /// The rows so far; the builder is empty then.
    pub(crate) fn take(&mut self) -> Result<ChangeBatch, ArrowError> {
        self.bytes = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.seqs.finish()),
            Arc::new(self.nouns.finish()),
            Arc::new(self.deleted.finish()),
            Arc::new(self.ids.finish()),
            Arc::new(self.kinds.finish()),
            Arc::new(self.values.finish()),
            Arc::new(self.units.finish()),
            Arc::new(self.starts.finish().with_timezone("UTC")),
            Arc::new(self.ends.finish().with_timezone("UTC")),
            Arc::new(self.sources.finish()),
            Arc::new(self.categories.finish()),
            Arc::new(self.origins.finish()),
            Arc::new(self.devices.finish()),
            Arc::new(self.created.finish().with_timezone("UTC")),
            Arc::new(self.metadata.finish()),
            Arc::new(self.bodies.finish()),
        ];
        Ok(ChangeBatch(RecordBatch::try_new(
            changes_schema(),
            columns,
        )?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn positions_read_back_and_their_text_is_frozen() {
        let position = Position {
            seq: 258,
            blocks: 0,
            token: [0xab; 16],
            scope: ScopeDigest([1, 2, 3, 4, 5, 6, 7, 8]),
        };
        let text = position.to_string();
        assert_eq!(
            text,
            format!("020000000000000102{}0102030405060708", "ab".repeat(16))
        );
        assert_eq!(text.parse(), Ok(position));
        for wrong in [
            "",
            "02",
            &text[2..],
            &text[..64],
            &format!("{text}00"),
            &text.replacen("02", "01", 1),
            &text.replacen("0200", "02ff", 1),
            &text.to_uppercase(),
        ] {
            assert_eq!(wrong.parse::<Position>(), Err(InvalidCursor), "{wrong}");
        }
    }

    #[test]
    fn positions_in_a_series_read_back_and_their_text_is_frozen() {
        let position = Position {
            seq: 258,
            blocks: 7,
            token: [0xab; 16],
            scope: ScopeDigest([1, 2, 3, 4, 5, 6, 7, 8]),
        };
        let text = position.to_string();
        let token = "ab".repeat(16);
        assert_eq!(
            text,
            format!("03000000000000010200000007{token}0102030405060708")
        );
        assert_eq!(text.parse(), Ok(position));
        for wrong in [
            &text[..72],
            &text.replacen("00000007", "00000000", 1),
            &text.replacen("03", "02", 1),
            &text.replacen("03", "04", 1),
        ] {
            assert_eq!(wrong.parse::<Position>(), Err(InvalidCursor), "{wrong}");
        }
    }

    #[test]
    fn scopes_that_differ_have_other_digests() {
        let of = |types: Option<&[&str]>, origins: Option<&[&str]>| {
            let (types, origins) = (types.map(names), origins.map(names));
            ScopeDigest::of(types.as_deref(), origins.as_deref())
        };
        let scopes = [
            of(None, None),
            of(Some(&[]), None),
            of(None, Some(&[])),
            of(Some(&["a"]), None),
            of(None, Some(&["a"])),
            of(Some(&["a", "b"]), None),
            of(Some(&["ab"]), None),
            of(Some(&["a"]), Some(&["b"])),
        ];
        for (index, scope) in scopes.iter().enumerate() {
            let same = scopes.iter().filter(|other| *other == scope).count();
            assert_eq!(same, 1, "{index}");
        }
        assert_eq!(
            of(Some(&["b", "a", "a"]), None),
            of(Some(&["a", "b"]), None)
        );
    }
}
