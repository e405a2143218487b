//! Reading back what [`Metadata::to_json`] wrote.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{Beat, Metadata};
use crate::time;

impl Metadata {
    /// The metadata of a JSON object of strings and arrays of strings, in its order; `None` if the
    /// text is anything else. What [`Metadata::to_json`] wrote gives the same text again.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<Object>(text)
            .ok()
            .map(|Object(metadata)| metadata)
    }
}

/// The object. A map type would lose the order of the keys.
struct Object(Metadata);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut metadata = Metadata::default();
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value()? {
                Entry::Text(text) => metadata.entries.push((key, text)),
                Entry::Texts(texts) => {
                    let entries = texts.into_iter().map(|text| (key.clone(), text));
                    metadata.entries.extend(entries);
                }
                Entry::Beats(beats) if key == Metadata::BEATS => metadata.beats.extend(beats),
                Entry::Beats(_) => return Err(A::Error::custom("objects are beats only")),
            }
        }
        Ok(Object(metadata))
    }
}

/// What stands behind a key.
enum Entry {
    Text(String),
    Texts(Vec<String>),
    Beats(Vec<Beat>),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or an array")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        let (mut texts, mut beats) = (Vec::new(), Vec::new());
        while let Some(element) = list.next_element()? {
            match element {
                Element::Text(text) => texts.push(text),
                Element::Beat { bpm, time, at } => {
                    let at_ms = at.map(|at| time::parse(&at, &TimeZone::UTC, 0)).transpose();
                    beats.push(Beat {
                        bpm,
                        time,
                        at_ms: at_ms.map_err(|_| A::Error::custom("a beat without an instant"))?,
                    });
                }
            }
        }
        match (texts.is_empty(), beats.is_empty()) {
            (_, true) => Ok(Entry::Texts(texts)),
            (true, false) => Ok(Entry::Beats(beats)),
            (false, false) => Err(A::Error::custom("texts and beats in one array")),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Text(String),
    Beat {
        bpm: String,
        time: String,
        at: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for text in [
            r#"{"HKTimeZone":"Europe/Paris"}"#,
            r#"{"z":"1","a":["1","3"],"b":""}"#,
            r#"{"a \"b\"":"c\\\n\u0000"}"#,
            r#"{"k":"v","HKInstantaneousBeatsPerMinute":[{"bpm":"57","time":"7:00 AM"}]}"#,
            r#"{"HKInstantaneousBeatsPerMinute":[{"bpm":"57","time":"7","at":"2024-06-15T09:00:01.300Z"}]}"#,
            // A text of that name, and beats besides.
            r#"{"HKInstantaneousBeatsPerMinute":"x","HKInstantaneousBeatsPerMinute":[{"bpm":"57","time":"7"}]}"#,
        ] {
            let metadata = Metadata::from_json(text).expect(text);
            assert_eq!(metadata.to_json().as_deref(), Some(text));
        }
        assert_eq!(Metadata::from_json("{}"), Some(Metadata::default()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "[]",
            "\"a\"",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":[{"bpm":"57","time":"7"}]}"#,
            r#"{"HKInstantaneousBeatsPerMinute":[{"bpm":"57","time":"7","at":"soon"}]}"#,
            r#"{"a":["1",{"bpm":"57","time":"7"}]}"#,
            r#"{"a":"1"} x"#,
            r#"{"a":"1""#,
        ] {
            assert_eq!(Metadata::from_json(text), None, "{text}");
        }
    }
}
