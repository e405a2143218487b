//! What the app keeps beside metrics and workouts: moods, medications, symptoms, cycle tracking,
//! heart rate notifications.

use serde_json::Value as Json;

use super::{
    categories::{self, Said},
    names,
    tree::Tree,
};
use crate::{
    document::{Document, Noun},
    import::{Item, limits, provenance::Writers},
    kind::Kind,
    sample::{Metadata, Sample, Value},
    time::rfc3339,
};

/// The source of what names none.
const APP: &str = "Health Auto Export";

/// Which of these lists an element stands in.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Moods,
    Medications,
    Symptoms,
    Cycle,
    HeartRates,
}

/// An item, and what is said of it although it is kept.
pub(super) struct Kept {
    pub(super) item: Item,
    pub(super) remark: Option<String>,
}

impl From<Document> for Kept {
    fn from(document: Document) -> Self {
        Self {
            item: Item::Document(Box::new(document)),
            remark: None,
        }
    }
}

impl Section {
    pub(super) fn read(self, tree: &Tree, writers: &mut Writers) -> Result<Kept, &'static str> {
        match self {
            Self::Moods => mood(tree, writers).map(Kept::from),
            Self::Medications => medication(tree, writers).map(Kept::from),
            Self::Symptoms => category(tree, "symptom", writers),
            Self::Cycle => category(tree, "cycle", writers),
            Self::HeartRates => heart_rate(tree, writers),
        }
    }
}

/// A document with all that the element says but for `known`.
fn document(
    noun: Noun,
    (start_ms, end_ms): (i64, i64),
    tree: &Tree,
    known: &[&str],
    writers: &mut Writers,
) -> Document {
    let mut document = Document::new(noun, start_ms, end_ms);
    let source = tree.text("source").unwrap_or(APP);
    document.provenance = Some(writers.find(source, None, None));
    for (name, value) in &tree.fields {
        if !known.contains(&name.as_str()) {
            document.body.set(name, value.clone());
        }
    }
    document
}

fn mood(tree: &Tree, writers: &mut Writers) -> Result<Document, &'static str> {
    let known = ["id", "start", "end", "date", "source", "metadata"];
    let mut mood = document(Noun::StateOfMind, tree.span()?, tree, &known, writers);
    mood.external_id = tree.text("id").map(str::to_owned);
    if let Some(Json::Object(entries)) = tree.fields.get("metadata") {
        let entries = entries.iter().map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), text)
        });
        mood.metadata.entries = entries.collect();
    }
    Ok(mood)
}

/// A dose, taken or not. Several stand at one instant, so one is known by what was prescribed.
fn medication(tree: &Tree, writers: &mut Writers) -> Result<Document, &'static str> {
    let scheduled = tree.text("scheduledDate").and_then(super::moment::parse);
    let span = match (tree.span(), scheduled) {
        // One that was not taken may say only when it was due.
        (Err(_), Some(due)) if tree.first(&["start", "startDate", "date"]).is_none() => (due, due),
        (span, _) => span?,
    };
    let known = ["id", "start", "end", "date", "source", "scheduledDate"];
    let mut dose = document(Noun::Medication, span, tree, &known, writers);
    match (scheduled, tree.fields.get("scheduledDate")) {
        (Some(due), _) => dose.body.set("scheduledDate", rfc3339(due)),
        (None, Some(printed)) => dose.body.set("scheduledDate", printed.clone()),
        (None, None) => {}
    }
    dose.external_id = tree
        .text("id")
        .map(str::to_owned)
        .or_else(|| code(tree))
        .or_else(|| tree.text("displayText").map(str::to_owned));
    Ok(dose)
}

/// The first code of a medication, in the system that it is of.
fn code(tree: &Tree) -> Option<String> {
    let coding = tree.fields.get("codings")?.as_array()?.first()?;
    let part = |name| coding.get(name).and_then(Json::as_str);
    Some(format!(
        "{}\n{}",
        part("system").unwrap_or_default(),
        part("code")?
    ))
}

/// A symptom, or what a cycle is tracked by.
fn category(tree: &Tree, word: &str, writers: &mut Writers) -> Result<Kept, &'static str> {
    let name = tree
        .first(&["name", "type"])
        .ok_or("events without a name")?;
    let printed = tree.first(&["severity", "value", "flow", "result"]);
    let number = ["severity", "value"]
        .iter()
        .find_map(|name| tree.fields.get(*name)?.as_u64());
    let number = number.map(|number| number.to_string());
    let printed = printed.or(number.as_deref());
    let mut metadata = Metadata::default();
    let (kind, said, remark) = if let Some(kind) = categories::kind(name) {
        let said = categories::value(&kind, printed, &mut metadata);
        let remark = (said == Said::Unknown).then(|| {
            format!("unknown or missing value of `{kind}`, kept as printed in the metadata")
        });
        (kind, said, remark)
    } else {
        let own = names::camel(&format!("{word} {name}"));
        let remark = format!("unknown type, kept as `{}`", limits::plain(&own));
        let printed = printed.map(|text| ("value".to_owned(), text.to_owned()));
        metadata.entries.extend(printed);
        (Kind::stored(&own), Said::Unknown, Some(remark))
    };
    let value = match said {
        Said::Value(value) => Value::Category(value.into()),
        Said::Unknown => Value::None,
    };
    let known = [
        "start",
        "startDate",
        "end",
        "endDate",
        "date",
        "name",
        "type",
        "severity",
        "value",
        "flow",
        "result",
        "source",
        "userEntered",
    ];
    metadata.entries.extend(tree.metadata(&known));
    if tree.fields.get("userEntered").and_then(Json::as_bool) == Some(true) {
        // As Apple Health says it.
        metadata
            .entries
            .push(("HKWasUserEntered".to_owned(), "1".to_owned()));
    }
    let item = sample(kind, value, tree, metadata, writers)?;
    Ok(Kept { item, remark })
}

/// A notification. The format does not say of which kind: the name says it where there is one, else
/// the rates do, which are all above or all below the threshold. Only these two have one.
fn heart_rate(tree: &Tree, writers: &mut Writers) -> Result<Kept, &'static str> {
    let threshold = tree.fields.get("threshold").and_then(Json::as_f64);
    let name = tree
        .first(&["name", "type", "kind"])
        .map(str::to_ascii_lowercase);
    let has = |word| name.as_deref().is_some_and(|name| name.contains(word));
    let kind = if has("irregular") {
        "irregularHeartRhythmEvent"
    } else if has("high") {
        "highHeartRateEvent"
    } else if has("low") {
        "lowHeartRateEvent"
    } else {
        threshold
            .and_then(|limit| side(tree, limit))
            .unwrap_or(UNKNOWN)
    };
    let known = [
        "start",
        "startDate",
        "end",
        "endDate",
        "date",
        "source",
        "threshold",
    ];
    let mut metadata = Metadata {
        entries: tree.metadata(&known),
        beats: Vec::new(),
    };
    if let Some(threshold) = threshold {
        let text = format!("{threshold} count/min");
        metadata
            .entries
            .push(("HKHeartRateEventThreshold".to_owned(), text));
    }
    let value = Value::Category("notApplicable".into());
    let remark = (kind == UNKNOWN)
        .then(|| format!("heart rate notifications that do not say which, kept as `{UNKNOWN}`"));
    let item = sample(Kind::stored(kind), value, tree, metadata, writers)?;
    Ok(Kept { item, remark })
}

const UNKNOWN: &str = "heartRateNotification";

/// The kind of a notification whose rates are all on one side of the threshold.
fn side(tree: &Tree, threshold: f64) -> Option<&'static str> {
    let rates = tree.fields.get("heartRate")?.as_array()?;
    let rates: Option<Vec<f64>> = rates
        .iter()
        .map(|rate| rate.get("hr").or_else(|| rate.get("qty"))?.as_f64())
        .collect();
    let rates = rates.filter(|rates| !rates.is_empty())?;
    if rates.iter().all(|rate| *rate >= threshold) {
        Some("highHeartRateEvent")
    } else if rates.iter().all(|rate| *rate <= threshold) {
        Some("lowHeartRateEvent")
    } else {
        None
    }
}

fn sample(
    kind: Kind,
    value: Value,
    tree: &Tree,
    metadata: Metadata,
    writers: &mut Writers,
) -> Result<Item, &'static str> {
    let (start_ms, end_ms) = tree.span()?;
    let source = tree.text("source").unwrap_or(APP);
    Ok(Item::Sample(Box::new(Sample {
        kind,
        unit: "".into(),
        value,
        start_ms,
        end_ms,
        created_ms: None,
        provenance: writers.find(source, None, None),
        external_id: None,
        metadata,
    })))
}
