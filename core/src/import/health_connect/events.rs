//! Tables whose records are named values: cycles, mindfulness, how hard somebody moved. One line
//! each.

use std::sync::Arc;

use super::{
    Reader,
    database::{Cells, Database, From},
    record::{self, Frame},
};
use crate::{
    import::ReadError,
    kind::Kind,
    sample::{Sample, Value},
};

/// A table, our type, and what its numbers say (the constants of `android.health.connect.datatypes`).
struct Table {
    name: &'static str,
    kind: &'static str,
    says: Says,
    /// Columns that are kept as metadata.
    more: &'static [&'static str],
}

/// What the numbers of a column are.
enum Says {
    /// There is none: that it happened is all.
    Nothing,
    /// The value, by number.
    Value(&'static str, &'static [&'static str]),
    /// An entry of metadata, by number; no value. An empty text is no entry.
    Entry(&'static str, &'static str, &'static [&'static str]),
}

/// HealthKit's types and values, where they mean the same. Of their own: a period as a whole (a
/// flow is of a moment), how hard somebody moved, `high` of an ovulation test (estrogen or the
/// luteinizing hormone rises; HealthKit tells the two apart), `unusual` of a mucus.
const TABLES: &[Table] = &[
    Table {
        name: "menstruation_flow_record_table",
        kind: "menstrualFlow",
        says: Says::Value("flow", &["unspecified", "light", "medium", "heavy"]),
        more: &[],
    },
    Table {
        name: "menstruation_period_record_table",
        kind: "menstruationPeriod",
        says: Says::Nothing,
        more: &[],
    },
    Table {
        name: "intermenstrual_bleeding_record_table",
        kind: "intermenstrualBleeding",
        says: Says::Nothing,
        more: &[],
    },
    Table {
        name: "ovulation_test_record_table",
        kind: "ovulationTestResult",
        says: Says::Value(
            "result",
            &[
                "indeterminate",
                "luteinizingHormoneSurge",
                "high",
                "negative",
            ],
        ),
        more: &[],
    },
    Table {
        name: "cervical_mucus_record_table",
        kind: "cervicalMucusQuality",
        says: Says::Value(
            "appearance",
            &[
                "unspecified",
                "dry",
                "sticky",
                "creamy",
                "watery",
                "eggWhite",
                "unusual",
            ],
        ),
        more: &["sensation"],
    },
    Table {
        name: "sexual_activity_record_table",
        kind: "sexualActivity",
        says: Says::Entry(
            "protection_used",
            "HKSexualActivityProtectionUsed",
            &["", "1", "0"],
        ),
        more: &[],
    },
    Table {
        name: "mindfulness_session_record_table",
        kind: "mindfulSession",
        says: Says::Entry(
            "type",
            "HealthConnectMindfulnessType",
            &[
                "",
                "meditation",
                "other",
                "breathing",
                "music",
                "movement",
                "unguided",
            ],
        ),
        more: &[],
    },
    Table {
        name: "activity_intensity_record_table",
        kind: "activityIntensity",
        says: Says::Value("type", &["moderate", "vigorous"]),
        more: &[],
    },
];

/// The tables read here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Reads all of them.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    for table in TABLES {
        if reader.database.has(table.name) {
            table.read(reader)?;
        }
    }
    Ok(())
}

impl Table {
    fn read(&self, reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
        let column = self.says.column();
        let mut columns = record::with(&[("r", "title"), ("r", "notes")]);
        let more = column.iter().chain(self.more);
        columns.extend(more.map(|column| ("r", *column)));
        let kind = Kind::stored(self.kind);
        let unit: Arc<str> = "".into();
        let none: Arc<str> = "notApplicable".into();
        let database = reader.database;
        database.rows(&From::one(self.name), &columns, &mut |cells| {
            let mut frame = match Frame::read(cells, &mut reader.writers) {
                Ok(frame) => frame,
                Err(reason) => return reader.hand_on(Err(reason)),
            };
            reader.notes(cells, &mut frame.metadata);
            for column in self.more {
                if let Some(text) = cells.text("r", column) {
                    frame.metadata.entries.push(((*column).to_owned(), text));
                }
            }
            let printed = column.and_then(|column| cells.text("r", column));
            let code = column.and_then(|column| match cells.integer("r", column) {
                None if self.may_be_missing(column, cells, database) => Some(0),
                code => code,
            });
            let value = match self.says.meaning(code) {
                // A number of a later version stands beside a record without a value.
                None => {
                    let text = printed.unwrap_or_default();
                    let key = column.unwrap_or_default().to_owned();
                    frame.metadata.entries.push((key, text));
                    reader.skip(&format!(
                        "unknown values of `{}`, kept as metadata",
                        self.kind
                    ));
                    Value::None
                }
                Some((entry, value)) => {
                    let entry = entry.map(|(key, text)| (key.to_owned(), text.to_owned()));
                    frame.metadata.entries.extend(entry);
                    Value::Category(value.map_or_else(|| Arc::clone(&none), Arc::from))
                }
            };
            reader.hand_on(Ok(Sample {
                kind: kind.clone(),
                unit: Arc::clone(&unit),
                value,
                start_ms: frame.start_ms,
                end_ms: frame.end_ms,
                created_ms: frame.created_ms,
                provenance: frame.provenance,
                external_id: frame.id,
                metadata: frame.metadata,
            }))
        })
    }
}

impl Table {
    /// Whether a number that is not there is the one of what is not known: 0, in all of Android's lists
    /// that have one. A column that is not there may only have another name by now.
    fn may_be_missing(&self, column: &str, cells: &Cells<'_, '_>, database: &Database) -> bool {
        let has_unknown = !matches!(self.says, Says::Value("type", _));
        has_unknown && database.has_column(self.name, column) && cells.is_null("r", column)
    }
}

/// An entry of metadata, and a value; either may be missing.
type Meaning = (Option<(&'static str, &'static str)>, Option<&'static str>);

impl Says {
    fn column(&self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Value(column, _) | Self::Entry(column, ..) => Some(column),
        }
    }

    /// What a number means; `None` if nobody knows.
    fn meaning(&self, code: Option<i64>) -> Option<Meaning> {
        let find =
            |names: &'static [&'static str]| names.get(usize::try_from(code?).ok()?).copied();
        match self {
            Self::Nothing => Some((None, None)),
            Self::Value(_, names) => Some((None, Some(find(names)?))),
            Self::Entry(_, key, names) => {
                let name = find(names)?;
                Some(((!name.is_empty()).then_some((*key, name)), None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_a_category_of_healthkit_or_of_its_own() {
        for table in TABLES {
            let own = ["menstruationPeriod", "activityIntensity"].contains(&table.kind);
            let known = Kind::stored(table.kind).is_category();
            assert_eq!(known, (!own).then_some(true), "{}", table.name);
        }
    }
}
