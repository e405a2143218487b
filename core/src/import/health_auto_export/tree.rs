//! An object with what is nested in it, bounded: moods, doses, events.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{json::Members, moment};
use crate::{import::limits, time::rfc3339};

/// An object of any form, as much of it as is kept.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) fields: Map<String, Value>,
    /// Values that were met within others.
    met: usize,
    /// Bytes of names and texts that are kept.
    bytes: usize,
    /// Values that were too many.
    pub(super) beyond: u64,
    /// Texts that were too long.
    pub(super) cut: u64,
}

/// Members that say when.
pub(super) const DATES: &[&str] = &[
    "start",
    "startDate",
    "end",
    "endDate",
    "date",
    "scheduledDate",
    "timestamp",
];

/// Members, beside [`DATES`], without which the others say little: kept among any number of them.
const NEEDED: &[&str] = &[
    "classification",
    "codings",
    "displayText",
    "flow",
    "heartRate",
    "id",
    "name",
    "result",
    "samplingFrequency",
    "severity",
    "source",
    "threshold",
    "type",
    "units",
    "value",
];

impl Members for Tree {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let is_needed = DATES.contains(&key) || NEEDED.contains(&key);
        if self.fields.len() >= limits::ENTRIES && !is_needed {
            self.beyond += 1;
            return map.next_value::<IgnoredAny>().map(drop);
        }
        let part = Part {
            tree: self,
            is_nested: false,
        };
        if let Some(value) = map.next_value_seed(part)? {
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

    /// The number of a name, also one that is printed as a text.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        number(self.fields.get(name)?)
    }

    /// The writer's own id, a text or a number.
    pub(super) fn id(&self) -> Option<String> {
        let number = || Some(self.fields.get("id")?.as_number()?.to_string());
        self.text("id").map(str::to_owned).or_else(number)
    }

    /// Who wrote it: a text, or an object with a name.
    pub(super) fn source(&self) -> Option<&str> {
        let name = || self.fields.get("source")?.get("name")?.as_str();
        let named = || name().map(str::trim).filter(|name| !name.is_empty());
        self.text("source").or_else(named)
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

    /// What is said beside `known`, beside its writer, and beside dates that are in `said`. Other
    /// dates are in UTC: their print follows the phone's zone and clock.
    pub(super) fn rest<'t>(
        &'t self,
        known: &[&str],
        said: Option<(i64, i64)>,
    ) -> impl Iterator<Item = (&'t str, Value)> {
        let others = self.fields.iter();
        others
            .filter(move |(name, value)| {
                !known.contains(&name.as_str()) && !self.is_said(name, value, said)
            })
            .map(|(name, value)| (name.as_str(), in_utc(name, value)))
    }

    /// [`Tree::rest`] as metadata; what is nested stands there as JSON.
    pub(super) fn metadata(
        &self,
        known: &[&str],
        said: Option<(i64, i64)>,
    ) -> Vec<(String, String)> {
        self.rest(known, said)
            .map(|(name, value)| (name.to_owned(), printed(&value)))
            .collect()
    }

    fn is_said(&self, name: &str, value: &Value, said: Option<(i64, i64)>) -> bool {
        if name == "source" {
            let is_name = |fields: &Map<_, _>| fields.len() == 1 && self.source().is_some();
            return value.is_string() || value.as_object().is_some_and(is_name);
        }
        let Some(text) = value.as_str().filter(|_| DATES.contains(&name)) else {
            return false;
        };
        let at = moment::parse(text);
        let is_either = |(start, end)| at == Some(start) || at == Some(end);
        text.trim().is_empty() || said.is_some_and(is_either)
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
        self.bytes += bounded.len();
        bounded.to_owned()
    }

    /// Whether one more value within another is kept.
    fn has_room(&mut self) -> bool {
        self.met += 1;
        let has = self.met <= limits::PARTS && self.bytes <= limits::METADATA;
        self.beyond += u64::from(!has);
        has
    }
}

pub(super) const NO_DATE: &str = "events without a date that is one";

/// A value as a text: as it is, or as JSON.
pub(super) fn printed(value: &Value) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
}

/// A number, also one that is printed as a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let parsed = || value.as_str()?.trim().parse().ok();
    let number: Option<f64> = value.as_f64().or_else(parsed);
    number.filter(|number| number.is_finite())
}

/// The value with its dates in UTC.
fn in_utc(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if DATES.contains(&name) => {
            moment::parse(text).map_or_else(|| value.clone(), |at| rfc3339(at).into())
        }
        Value::Array(values) => values.iter().map(|value| in_utc(name, value)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.clone(), in_utc(name, value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// A value; none for `null`, and for what is too much.
struct Part<'t> {
    tree: &'t mut Tree,
    is_nested: bool,
}

impl Part<'_> {
    /// One within this one.
    fn inner(&mut self) -> Part<'_> {
        Part {
            tree: self.tree,
            is_nested: true,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        if !self.is_nested || self.tree.has_room() {
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
        Ok(Some(self.tree.bounded(text).into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Option<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.inner())? {
            values.extend(value);
        }
        Ok(Some(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.inner())?;
            if let Some(value) = value {
                fields.insert(self.tree.bounded(&key), value);
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
            small.metadata(&["a", "start"], None),
            [("b".to_owned(), r#"[1,{"d":true}]"#.to_owned())]
        );
        assert!(small.span().is_err());
        let zeros = |count: usize| vec!["0"; count].join(",");
        let large = tree(&format!(
            "{{\"a\":[{}],\"b\":1,\"c\":\"y\"}}",
            zeros(limits::PARTS + 7)
        ));
        assert_eq!((large.beyond, large.text("c")), (7, Some("y")));
        let long = "x".repeat(5000);
        let cut = tree(&format!("{{\"a\":\"{long}\"}}"));
        assert_eq!((cut.cut, cut.text("a").unwrap().len()), (1, limits::NAME));
        let texts = vec![format!("\"{}\"", "x".repeat(limits::NAME)); 300].join(",");
        let wide = tree(&format!("{{\"a\":[{texts}],\"start\":\"soon\"}}"));
        assert_eq!((wide.beyond, wide.text("start")), (43, Some("soon")));
    }

    #[test]
    fn members_are_bounded_but_for_those_that_say_what_it_is() {
        let members: Vec<_> = (0..1005).map(|n| format!("\"m{n}\":1,")).collect();
        let many = tree(&format!("{{{}\"start\":\"soon\"}}", members.concat()));
        assert_eq!((many.beyond, many.text("start")), (5, Some("soon")));
    }

    #[test]
    fn dates_are_said_once_and_in_utc() {
        let tree = tree(
            r#"{"startDate":"2024-09-21 07:57:00 +1000","date":"2024-09-21 08:57:00 +1000",
                "end":"","list":[{"timestamp":{"start":"2024-09-21 07:57:00 +1000"}}]}"#,
        );
        let span = tree.span().unwrap();
        let hour = "2024-09-20T22:57:00Z".to_owned();
        let list = r#"[{"timestamp":{"start":"2024-09-20T21:57:00Z"}}]"#.to_owned();
        let rest = [("date".to_owned(), hour), ("list".to_owned(), list)];
        assert_eq!(tree.metadata(&[], Some(span)), rest);
        assert_eq!(tree.rest(&[], None).count(), 3);
    }
}
