//! Rows that this program wrote itself, on their way back: what CSV and Parquet have in common.
//!
//! ```text
//! csv ─► Cells ─┐
//!               ├─► Rows ─► Item::Returning ─► the store checks the id and keeps it
//! parquet ─► SampleBatch
//! ```
//!
//! A row is equal to the bit when it comes out again, its id included. The id is not simply taken
//! over: the store makes the key anew from the columns, and only if that is the key in the id, it
//! keeps the ordinal in it, too. So a row that a person has changed gets an id of its own, and no
//! file can lay hands on the row of another origin.

use std::{collections::HashMap, sync::Arc};

use arrow_array::Array as _;

use super::{
    Item, ReadError, Sink, limits,
    provenance::{Writers, external_id},
};
use crate::{
    batch::SampleBatch,
    identity::{Id, is_origin},
    kind::Kind,
    sample::{Metadata, Sample, Value},
    unit::Conversion,
};

/// A row that this program wrote itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Returning {
    /// What stands in it.
    pub sample: Sample,
    /// The origin that it names.
    pub origin: Arc<str>,
    /// The id that it bears, if it is one.
    pub id: Option<Id>,
    /// Its line in the file, for what is said of it.
    pub line: u64,
}

/// One row as text and numbers.
pub(super) struct Cells<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    /// In the canonical unit; finite.
    pub(super) value: Option<f64>,
    pub(super) unit: &'a str,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) source: &'a str,
    pub(super) category: Option<&'a str>,
    pub(super) origin: &'a str,
    pub(super) device: Option<&'a str>,
    pub(super) created_ms: Option<i64>,
    /// A JSON object.
    pub(super) metadata: Option<&'a str>,
}

/// Makes samples of rows; shares the texts that repeat.
pub(super) struct Rows {
    measures: HashMap<(String, String), Measure>,
    names: HashMap<String, Arc<str>>,
    writers: Writers,
}

/// A type in one unit.
#[derive(Clone)]
struct Measure {
    kind: Kind,
    unit: Arc<str>,
    conversion: Conversion,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            measures: HashMap::new(),
            names: HashMap::new(),
            writers: Writers::stored(),
        }
    }

    /// The sample in a row, or why there is none.
    pub(super) fn sample(
        &mut self,
        cells: &Cells<'_>,
        line: u64,
    ) -> Result<Returning, &'static str> {
        if cells.kind.is_empty() || cells.kind.len() > limits::NAME {
            return Err("rows without a type");
        }
        if !is_origin(cells.origin) {
            return Err("rows whose origin is no name");
        }
        if cells.end_ms < cells.start_ms {
            return Err("ends before their starts");
        }
        let Measure {
            kind,
            unit,
            conversion,
        } = self.measure(cells.kind, cells.unit);
        let value = match (cells.value, cells.category) {
            (Some(_), Some(_)) => return Err("rows with a number and a category"),
            (Some(number), None) => {
                let value = conversion.apply(number);
                if !value.is_finite() {
                    return Err("quantities that are no number");
                }
                // What is written reads back to the bit, so there is no last digit to doubt.
                Value::Quantity {
                    value,
                    tolerance: 0.0,
                }
            }
            (None, Some(name)) => Value::Category(self.shared(limits::name(name))),
            (None, None) => Value::None,
        };
        let metadata = match cells.metadata {
            Some(text) => Metadata::from_json(text).ok_or("metadata that is no object of texts")?,
            None => Metadata::default(),
        };
        Ok(Returning {
            sample: Sample {
                kind,
                unit,
                value,
                start_ms: cells.start_ms,
                end_ms: cells.end_ms,
                created_ms: cells.created_ms,
                provenance: self.writers.find(cells.source, None, cells.device),
                external_id: external_id(&metadata),
                metadata,
            },
            origin: self.shared(cells.origin),
            id: uuid(cells.id),
            line,
        })
    }

    /// Hands on the rows of a batch that has the columns on demand, too; `line` is the number of
    /// its first row, counted from 1, which stands in what is said of a row that is passed over.
    pub(super) fn batch(
        &mut self,
        batch: &SampleBatch,
        line: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), ReadError> {
        let damaged = |reason: &'static str| ReadError::Malformed {
            line,
            reason: reason.into(),
        };
        let columns = batch
            .view()
            .map_err(|_| damaged("columns of other types"))?;
        let more = columns.more.as_ref().ok_or_else(|| damaged(NO_METADATA))?;
        for (row, line) in (0..batch.len()).zip(line..) {
            let cells = Cells {
                id: columns.id.value(row),
                kind: columns.kind.text(row).unwrap_or_default(),
                value: columns
                    .value
                    .is_valid(row)
                    .then(|| columns.value.value(row)),
                unit: columns.unit.text(row).unwrap_or_default(),
                start_ms: columns.start.value(row),
                end_ms: columns.end.value(row),
                source: columns.source.text(row).unwrap_or_default(),
                category: columns.category.text(row),
                origin: more.origin.text(row).unwrap_or_default(),
                device: more.device.text(row),
                created_ms: more.created.is_valid(row).then(|| more.created.value(row)),
                metadata: more
                    .metadata
                    .is_valid(row)
                    .then(|| more.metadata.value(row)),
            };
            self.hand_on(&cells, line, sink)?;
        }
        Ok(())
    }

    /// Hands on one row, or why it is none.
    pub(super) fn hand_on(
        &mut self,
        cells: &Cells<'_>,
        line: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), ReadError> {
        sink(match self.sample(cells, line) {
            Ok(row) => Item::Returning(Box::new(row)),
            Err(reason) => Item::Skipped {
                line,
                count: 1,
                reason: reason.into(),
            },
        })?;
        Ok(())
    }

    fn measure(&mut self, name: &str, unit: &str) -> Measure {
        let unit = limits::name(unit);
        let key = (name.to_owned(), unit.to_owned());
        if let Some(known) = self.measures.get(&key) {
            return known.clone();
        }
        let kind = Kind::stored(name);
        // We write canonical units alone; another one was put there by somebody else.
        let conversion = kind.unit().and_then(|to| {
            let conversion = Conversion::between(unit, to)?;
            Some((to, conversion))
        });
        let (unit, conversion) = conversion.unwrap_or((unit, Conversion::IDENTITY));
        let measure = Measure {
            kind,
            unit: unit.into(),
            conversion,
        };
        if self.measures.len() >= limits::CACHE {
            self.measures.clear();
        }
        self.measures.insert(key, measure.clone());
        measure
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return Arc::clone(known);
        }
        if self.names.len() >= limits::CACHE {
            self.names.clear();
        }
        let name: Arc<str> = text.into();
        self.names.insert(text.to_owned(), Arc::clone(&name));
        name
    }
}

/// What a file lacks that was fetched without its columns on demand.
pub(super) const NO_METADATA: &str = "the columns origin, device, creationDate and metadata are \
                                      missing (fetch it again with `--include-metadata`)";

/// Reads `8-4-4-4-12` hexadecimal digits (RFC 9562).
fn uuid(text: &str) -> Option<Id> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];

    let well_formed = text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| {
            if DASHES.contains(&place) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    if !well_formed {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Cells<'static> {
        Cells {
            id: "00112233-4455-8677-8899-aabbccddeeff",
            kind: "weight",
            value: Some(70.5),
            unit: "kg",
            start_ms: 1,
            end_ms: 2,
            source: "Scale’s",
            category: None,
            origin: "ana",
            device: Some("name:Scale, hardware:S1"),
            created_ms: Some(3),
            metadata: Some(r#"{"HKExternalUUID":"A-1","b":"c"}"#),
        }
    }

    fn read(cells: &Cells<'_>) -> Result<Returning, &'static str> {
        Rows::new().sample(cells, 2)
    }

    #[test]
    fn a_row_is_a_sample_again() {
        let row = read(&cells()).unwrap();
        assert_eq!(
            row.id.map(u128::from_be_bytes),
            Some(0x0011_2233_4455_8677_8899_aabb_ccdd_eeff)
        );
        assert_eq!(&*row.origin, "ana");
        let sample = row.sample;
        assert_eq!((&*sample.kind, &*sample.unit), ("weight", "kg"));
        let value = Value::Quantity {
            value: 70.5,
            tolerance: 0.0,
        };
        assert_eq!(sample.value, value);
        assert_eq!(
            (sample.start_ms, sample.end_ms, sample.created_ms),
            (1, 2, Some(3))
        );
        assert_eq!(sample.external_id.as_deref(), Some("A-1"));
        let writer = &sample.provenance;
        assert_eq!(writer.source_name, "Scale’s");
        assert_eq!(writer.canonical_source, "Scale's");
        assert_eq!(writer.hardware.as_deref(), Some("S1"));
    }

    #[test]
    fn a_foreign_unit_is_converted_an_unknown_one_is_left() {
        let unit = |unit| {
            let row = read(&Cells { unit, ..cells() }).unwrap();
            (row.sample.unit.to_string(), row.sample.value)
        };
        let quantity = |value| Value::Quantity {
            value,
            tolerance: 0.0,
        };
        assert_eq!(unit("g"), ("kg".to_owned(), quantity(0.0705)));
        assert_eq!(unit("furlong"), ("furlong".to_owned(), quantity(70.5)));
    }

    #[test]
    fn odd_rows_are_refused() {
        let reason = |change: fn(&mut Cells<'static>)| {
            let mut changed = cells();
            change(&mut changed);
            read(&changed).unwrap_err()
        };
        assert_eq!(reason(|row| row.kind = ""), "rows without a type");
        assert_eq!(
            reason(|row| row.origin = "a/b"),
            "rows whose origin is no name"
        );
        assert_eq!(reason(|row| row.end_ms = 0), "ends before their starts");
        assert_eq!(
            reason(|row| row.category = Some("awake")),
            "rows with a number and a category"
        );
        assert_eq!(
            reason(|row| row.metadata = Some("[]")),
            "metadata that is no object of texts"
        );
        assert_eq!(
            reason(|row| row.value = Some(f64::NAN)),
            "quantities that are no number"
        );
    }

    #[test]
    fn only_uuids_are_ids() {
        for text in [
            "",
            "00112233445586778899aabbccddeeff",
            "00112233-4455-8677-8899-aabbccddeefg",
            "+0112233-4455-8677-8899-aabbccddeeff",
            "001122334455-8677-8899-aabb-ccddeeff",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
        assert!(uuid("00112233-4455-8677-8899-AABBCCDDEEFF").is_some());
    }
}
