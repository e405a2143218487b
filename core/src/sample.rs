//! One record on its way into the store.

mod json;

use std::sync::Arc;

use crate::{kind::Kind, time::rfc3339};

/// A value as an importer read it, in the kind's canonical unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number in the canonical unit of the kind.
    Quantity {
        /// The number after conversion.
        value: f64,
        /// Half of the last digit that the file printed, after conversion: values that differ by
        /// less are equal.
        tolerance: f64,
    },
    /// HealthKit's value name without its prefix (`asleepCore`).
    Category(Arc<str>),
    /// The record carries neither.
    None,
}

/// One top-level record of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub kind: Kind,
    /// Canonical unit; empty for categories.
    pub unit: Arc<str>,
    /// The value.
    pub value: Value,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// When the record was written on the phone, if the file says so.
    pub created_ms: Option<i64>,
    /// Who wrote it; records of one writer share it.
    pub provenance: Arc<Provenance>,
    /// The writer's own stable id, if there is one (`HKExternalUUID`, sync identifier).
    pub external_id: Option<String>,
    /// What else the writer said.
    pub metadata: Metadata,
}

/// Who wrote a record, and on which device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// Name of the writing app or device as shown to people.
    pub source_name: String,
    /// The same name in every language and typography: part of a record's identity.
    pub canonical_source: String,
    /// Version of the writer, if the file says so.
    pub source_version: Option<String>,
    /// The device without its memory address, if the file names one.
    pub device: Option<String>,
    /// Hardware identifier of that device (`Watch7,2`).
    pub hardware: Option<String>,
}

/// Metadata in file order; repeated keys are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Keys and values as the file writes them.
    pub entries: Vec<(String, String)>,
    /// The heart beats behind a heart rate variability.
    pub beats: Vec<Beat>,
}

/// One beat of a heart rate variability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Beats a minute, as printed.
    pub bpm: String,
    /// Local time without a date, in the language of the phone, as printed.
    pub time: String,
    /// The instant it means, milliseconds since 1970-01-01T00:00:00Z, if that can be said.
    pub at_ms: Option<i64>,
}

impl Metadata {
    /// The key under which the beats stand.
    pub const BEATS: &'static str = "HKInstantaneousBeatsPerMinute";

    /// The first value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|(own, _)| own == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.beats.is_empty()
    }

    /// A JSON object of strings; a repeated key has an array of its values, the beats are an array
    /// of objects. `None` when there is nothing to say.
    pub fn to_json(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut text = String::from("{");
        for (index, (key, value)) in self.entries.iter().enumerate() {
            let (before, behind) = self.entries.split_at_checked(index)?;
            // A record has few entries; the reader bounds their number.
            if before.iter().any(|(other, _)| other == key) {
                continue;
            }
            separate(&mut text, key);
            let values = || behind.iter().filter(|(other, _)| other == key);
            if values().nth(1).is_none() {
                push_string(&mut text, value);
            } else {
                push_array(&mut text, values(), |text, (_, value)| {
                    push_string(text, value);
                });
            }
        }
        if !self.beats.is_empty() {
            separate(&mut text, Self::BEATS);
            push_array(&mut text, self.beats.iter(), |text, beat| {
                text.push_str("{\"bpm\":");
                push_string(text, &beat.bpm);
                text.push_str(",\"time\":");
                push_string(text, &beat.time);
                if let Some(at_ms) = beat.at_ms {
                    text.push_str(",\"at\":");
                    push_string(text, &rfc3339(at_ms));
                }
                text.push('}');
            });
        }
        text.push('}');
        Some(text)
    }
}

fn separate(text: &mut String, key: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    push_string(text, key);
    text.push(':');
}

fn push_array<T>(
    text: &mut String,
    items: impl Iterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    text.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(text, item);
    }
    text.push(']');
}

/// A JSON string. The common case needs no escapes and no detour through a serializer.
fn push_string(text: &mut String, value: &str) {
    if value
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(entries: &[(&str, &str)]) -> Vec<(String, String)> {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn metadata_is_a_json_object() {
        let check = |list: &[(&str, &str)], expected: Option<&str>| {
            let metadata = Metadata {
                entries: entries(list),
                beats: Vec::new(),
            };
            assert_eq!(metadata.to_json().as_deref(), expected);
        };
        check(&[], None);
        check(
            &[("HKTimeZone", "Europe/Paris")],
            Some(r#"{"HKTimeZone":"Europe/Paris"}"#),
        );
        check(
            &[("a", "1"), ("b", "2"), ("a", "3")],
            Some(r#"{"a":["1","3"],"b":"2"}"#),
        );
        check(&[("a \"b\"", "c\\\n")], Some(r#"{"a \"b\"":"c\\\n"}"#));
    }

    #[test]
    fn beats_stand_beside_the_entries() {
        let beat = Beat {
            bpm: "57".to_owned(),
            time: "7:00:01.30\u{202f}AM".to_owned(),
            at_ms: None,
        };
        let resolved = Beat {
            at_ms: Some(1_718_442_001_300),
            ..beat.clone()
        };
        let metadata = Metadata {
            entries: entries(&[("k", "v")]),
            beats: vec![beat, resolved],
        };
        let value: serde_json::Value = serde_json::from_str(&metadata.to_json().unwrap()).unwrap();
        assert_eq!(value["k"], "v");
        assert_eq!(value[Metadata::BEATS][1]["bpm"], "57");
        assert_eq!(value[Metadata::BEATS][1]["time"], "7:00:01.30\u{202f}AM");
        assert_eq!(value[Metadata::BEATS][0].get("at"), None);
        assert_eq!(value[Metadata::BEATS][1]["at"], "2024-06-15T09:00:01.300Z");
    }
}
