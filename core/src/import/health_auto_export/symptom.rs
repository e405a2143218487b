//! Symptoms, and what a cycle is tracked by.

use serde_json::Value as Json;

use super::{
    categories::{self, Said},
    events::{self, Kept},
    measure::Measure,
    names,
    tree::{Tree, printed},
};
use crate::{
    import::{limits, provenance::Writers},
    kind::Kind,
    sample::{Metadata, Value},
};

/// Members that may hold the value; the app does not document which does.
const VALUES: &[&str] = &["severity", "value", "flow", "result"];

/// What an element says, and which of its members say it.
struct Read {
    kind: Kind,
    value: Value,
    understood: Vec<&'static str>,
    entry: Option<(&'static str, &'static str)>,
    remark: Option<String>,
}

/// A symptom, or what a cycle is tracked by. What did not become its value is metadata, as printed.
pub(super) fn read(tree: &Tree, word: &str, writers: &mut Writers) -> Result<Kept, &'static str> {
    let (called, name) = ["name", "type"]
        .iter()
        .find_map(|called| Some((*called, tree.text(called)?)))
        .ok_or("events without a name")?;
    let span = tree.span()?;
    if let Some((number, used)) = temperature(tree, name) {
        let metadata = metadata(tree, span, &[called, used.0, used.1]);
        let item = events::sample(number, span, tree, metadata, writers);
        return Ok(Kept { item, remark: None });
    }
    let read = match categories::kind(name) {
        Some(kind) => category(kind, tree),
        None => unknown(name, word),
    };
    let mut known = vec![called];
    known.extend(VALUES);
    let mut entries: Vec<_> = left(tree, &read.understood)
        .map(|(name, value)| (name.to_owned(), printed(value)))
        .collect();
    if let ([(name, _)], []) = (entries.as_mut_slice(), read.understood.as_slice()) {
        "value".clone_into(name);
    }
    if categories::kind(name).is_none() {
        // Its type has no more than the letters and digits of the name.
        entries.push(("name".to_owned(), name.to_owned()));
    }
    let entry = read.entry.iter();
    entries.extend(entry.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let mut metadata = metadata(tree, span, &known);
    metadata.entries.splice(0..0, entries);
    let measured = (read.kind, "".into(), read.value);
    let item = events::sample(measured, span, tree, metadata, writers);
    let remark = read.remark;
    Ok(Kept { item, remark })
}

/// Values that are printed but for those of `understood`.
fn left<'t>(
    tree: &'t Tree,
    understood: &'t [&'static str],
) -> impl Iterator<Item = (&'static str, &'t Json)> {
    let values = VALUES.iter();
    values
        .filter(move |name| !understood.contains(name))
        .filter_map(move |name| Some((*name, tree.fields.get(*name)?)))
        .filter(|(_, value)| value.as_str().is_none_or(|text| !text.trim().is_empty()))
}

/// A category that is known. A text is asked before a number is, which may count something else.
fn category(kind: Kind, tree: &Tree) -> Read {
    let (mut value, mut entry) = (None, None);
    let mut understood = Vec::new();
    let texts = left(tree, &[]).filter(|(_, value)| value.is_string());
    let numbers = left(tree, &[]).filter(|(_, value)| value.is_number());
    for (name, printed) in texts.chain(numbers) {
        let number = printed.as_f64().map(|number| number.to_string());
        let text = number.as_deref().or_else(|| printed.as_str());
        match categories::said(&kind, text.unwrap_or_default().trim()) {
            Said::Value(own) if value.is_none_or(|value| value == own) => value = Some(own),
            Said::Entry(key, own) if entry.is_none() => entry = Some((key, own)),
            Said::Nothing => {}
            _ => continue,
        }
        understood.push(name);
    }
    let value = value.or_else(|| categories::unsaid(&kind));
    let is_strange = understood.is_empty() && left(tree, &[]).next().is_some();
    let remark = (value.is_none() || is_strange)
        .then(|| format!("unknown or missing value of `{kind}`, kept as printed in the metadata"));
    Read {
        kind,
        value: value.map_or(Value::None, |value| Value::Category(value.into())),
        understood,
        entry,
        remark,
    }
}

/// What nobody knows, as a type of its own.
fn unknown(name: &str, word: &str) -> Read {
    let own = names::camel(&format!("{word} {name}"));
    Read {
        remark: Some(format!("unknown type, kept as `{}`", limits::plain(&own))),
        kind: Kind::stored(&own),
        value: Value::None,
        understood: Vec::new(),
        entry: None,
    }
}

/// The one thing by which a cycle is tracked that is a number, and the members that say it.
fn temperature(
    tree: &Tree,
    name: &str,
) -> Option<(events::Measured, (&'static str, &'static str))> {
    const KIND: &str = "basalBodyTemperature";
    if !names::camel(name).eq_ignore_ascii_case(KIND) {
        return None;
    }
    let ours = |members: [&'static str; 2]| {
        let mut members = members.into_iter();
        members.find(|name| tree.fields.contains_key(*name))
    };
    let (unit, number) = (ours(["units", "unit"])?, ours(["value", "qty"])?);
    let measure = Measure::new(Kind::stored(KIND), tree.text(unit)?);
    if measure.is_foreign {
        return None;
    }
    let value = Value::Quantity {
        value: measure.apply(tree.number(number)?)?,
        tolerance: 0.0,
    };
    Some(((measure.kind, measure.unit, value), (unit, number)))
}

/// What is said beside `known`.
fn metadata(tree: &Tree, span: (i64, i64), known: &[&str]) -> Metadata {
    const ENTERED: &str = "userEntered";
    let entered = tree.fields.get(ENTERED).and_then(truth);
    let mut known = known.to_vec();
    known.extend(entered.map(|_| ENTERED));
    let mut metadata = Metadata {
        entries: tree.metadata(&known, Some(span)),
        beats: Vec::new(),
    };
    if entered == Some(true) {
        // As Apple Health says it.
        let entry = ("HKWasUserEntered".to_owned(), "1".to_owned());
        metadata.entries.push(entry);
    }
    metadata
}

/// Yes or no, also as a text or a number.
fn truth(value: &Json) -> Option<bool> {
    match printed(value).trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
