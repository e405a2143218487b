//! An object with what is nested in it, bounded: moods, doses, events.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{json::Members, moment};
use crate::import::limits;

/// An object of any form, as much of it as is kept.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) fields: Map<String, Value>,
    /// Values that were met, at any depth.
    met: usize,
    /// Values that were too many.
    pub(super) beyond: u64,
    /// Texts that were too long.
    pub(super) cut: u64,
}

impl Members for Tree {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let value = map.next_value_seed(Part(self))?;
        if let Some(value) = value {
            let key = self.bounded(key);
            self.fields.insert(key, value);
        }
        Ok(())
    }
}

impl Tree {
    /// The text of a name, if it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.fields.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The first text of these names.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// From when to when it lasts.
    pub(super) fn span(&self) -> Result<(i64, i64), &'static str> {
        let start = self.first(&["start", "startDate", "date"]);
        let start_ms = start.and_then(moment::parse).ok_or(NO_DATE)?;
        let end_ms = match self.first(&["end", "endDate"]) {
            Some(end) => moment::parse(end).ok_or(NO_DATE)?,
            None => start_ms,
        };
        if end_ms < start_ms {
            return Err("ends before their starts");
        }
        Ok((start_ms, end_ms))
    }

    /// What is said beside `known`; what is nested stands there as JSON.
    pub(super) fn metadata(&self, known: &[&str]) -> Vec<(String, String)> {
        let others = self.fields.iter();
        others
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .map(|(key, value)| {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (key.clone(), text)
            })
            .collect()
    }

    /// Why not all of it is kept, and how much of it is not.
    pub(super) fn tell(&self) -> [(u64, &'static str); 2] {
        [
            (self.beyond, "values beyond the limit"),
            (self.cut, "texts beyond the limit (cut)"),
        ]
    }

    /// The text, or as much of it as is kept.
    fn bounded(&mut self, text: &str) -> String {
        let bounded = limits::name(text);
        self.cut += u64::from(bounded.len() < text.len());
        bounded.to_owned()
    }

    /// Whether one more value is kept.
    fn has_room(&mut self) -> bool {
        self.met += 1;
        let has = self.met <= limits::ENTRIES;
        self.beyond += u64::from(!has);
        has
    }
}

const NO_DATE: &str = "events without a date that is one";

/// A value; none for `null`, and for what is too much.
struct Part<'t>(&'t mut Tree);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        if self.0.has_room() {
            deserializer.deserialize_any(self)
        } else {
            deserializer.deserialize_ignored_any(IgnoredAny)?;
            Ok(None)
        }
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Value>, E> {
        Ok(Some(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Value>, E> {
        Ok(Some(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Value>, E> {
        Ok(Some(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Value>, E> {
        Ok(Some(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Value>, E> {
        Ok(Some(self.0.bounded(text).into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Part(self.0))? {
            values.extend(value);
        }
        Ok(Some(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Part(self.0))?;
            if let Some(value) = value {
                fields.insert(self.0.bounded(&key), value);
            }
        }
        Ok(Some(fields.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed as _;

    use super::{super::json::Object, *};

    fn tree(text: &str) -> Tree {
        let mut tree = Tree::default();
        let mut json = serde_json::Deserializer::from_str(text);
        Object(&mut tree).deserialize(&mut json).unwrap();
        tree
    }

    #[test]
    fn what_is_nested_is_kept_up_to_the_limit() {
        let small = tree(r#"{"a":"x","b":[1,{"c":null,"d":true}],"e":null,"start":"soon"}"#);
        assert_eq!(
            small.metadata(&["a", "start"]),
            [("b".to_owned(), r#"[1,{"d":true}]"#.to_owned())]
        );
        assert!(small.span().is_err());
        let long = "x".repeat(5000);
        let large = tree(&format!(
            "{{\"a\":[{}0],\"b\":1,\"c\":\"y\"}}",
            "0,".repeat(2000)
        ));
        assert_eq!(large.beyond, 1004);
        let cut = tree(&format!("{{\"a\":\"{long}\"}}"));
        assert_eq!((cut.cut, cut.text("a").unwrap().len()), (1, limits::NAME));
    }
}
